// The examples' data: clips in which a bright square moves to the left, right, up or down. A single frame does not tell
// which: only motion does.
#pragma once

#include <cstdint>
#include <vector>

#include "core/rng.h"
#include "core/tensor.h"

namespace examples {

constexpr int64_t kDirections = 4;

/// Clips of `shape` (n, 3, t, h, w; in memory NTHWC) and which way each one's square goes, drawn from `rng`.
inline void draw_squares(const laban::Shape& shape, laban::Rng& rng, std::vector<float>& clips,
                         std::vector<int32_t>& labels) {
  constexpr int64_t kSide = 5;
  constexpr int64_t kStep[kDirections][2] = {{0, -1}, {0, 1}, {-1, 0}, {1, 0}};  // rows, columns
  clips.assign(static_cast<size_t>(shape.count()), 0);
  labels.clear();
  for (int64_t n = 0; n < shape.n; ++n) {
    const int64_t direction = rng.integer(0, kDirections - 1);
    labels.push_back(static_cast<int32_t>(direction));
    const int64_t top = rng.integer(0, shape.h - 1), left = rng.integer(0, shape.w - 1);
    for (int64_t t = 0; t < shape.t; ++t)
      for (int64_t y = 0; y < kSide; ++y)
        for (int64_t x = 0; x < kSide; ++x) {
          // Out on one side, in on the other: no place gives the direction away.
          const int64_t row = (top + y + 2 * t * kStep[direction][0] + 2 * shape.h * shape.t) % shape.h;
          const int64_t column = (left + x + 2 * t * kStep[direction][1] + 2 * shape.w * shape.t) % shape.w;
          for (int64_t c = 0; c < shape.c; ++c)
            clips[static_cast<size_t>(shape.index(n, t, row, column, c))] = 1;
        }
  }
}

}  // namespace examples
