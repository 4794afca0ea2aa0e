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

  /// Items that each touch `elements` elements: as many to a tile as touch some 100 KB.
  static constexpr Tiles of(int64_t items, int64_t elements) {
    return {items, std::max<int64_t>(1, kTileElements / std::max<int64_t>(1, elements))};
  }

  /// A tile of so many takes some ten microseconds, a hundred times what it costs to hand it out.
  static constexpr int64_t kTileElements = 32768;
};

}  // namespace laban::cpu
