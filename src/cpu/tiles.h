// How work is cut into tiles: by shape alone (thread_pool.h says why).
#pragma once

#include <algorithm>
#include <cstdint>

namespace laban::cpu {

/// [0, count) in stretches of `length`, the last one as long as what is left.
struct Tiles {
  int64_t count = 0, length = 1;

  constexpr int64_t tiles() const { return (count + length - 1) / length; }
  constexpr int64_t begin(int64_t tile) const { return tile * length; }
  constexpr int64_t end(int64_t tile) const { return std::min(count, (tile + 1) * length); }
};

}  // namespace laban::cpu
