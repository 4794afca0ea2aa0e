// What the Winograd kernels share: where tiles lie, and the transform of input patches. Formulas: winograd.h.
#pragma once

#include "cpu/parallel.h"
#include "cpu/winograd.h"

namespace laban::cpu::winograd {

constexpr int kElements = 16;  // of a transformed tile, 4 x 4

/// A tile of 2 x 2 outputs: its frame of `out`, counted through the batch, and its first row and column.
struct Tile {
  int64_t frame, row, column;
};
inline Tile tile_at(const WinogradPlan& plan, int64_t index) {
  const int64_t per_frame = plan.tile_rows * plan.tile_columns;
  const int64_t inside = index % per_frame;
  return {index / per_frame, inside / plan.tile_columns * 2, inside % plan.tile_columns * 2};
}

/// Channels as they lie in transformed tiles: whole vectors, the last one filled up with zeros.
inline int64_t padded_channels(int64_t channels) { return round_up(channels, kLanes); }

/// The distance between elements that hold `floats` each. A transform touches all 16 at once: were they a
/// multiple of a page apart, they would all want the same few lines of the L1 cache.
inline int64_t apart(int64_t floats) { return round_up(floats, 1024) + kLanes; }

/// The 16 inputs of a tile's patch for frame `kt` of the kernel, `zeros` where they lie in the padding.
template <class T>
std::array<const T*, kElements> patch_of(const WinogradPlan& plan, const Tile& tile, int64_t kt, const T* in,
                                         const T* zeros) {
  std::array<const T*, kElements> patch;
  const int64_t n = tile.frame / plan.out.t;
  const int64_t t = tile.frame % plan.out.t * plan.frame_stride - plan.padding[0] + kt;
  const int64_t row = tile.row - plan.padding[1], column = tile.column - plan.padding[2];
  for (int64_t r = 0; r < 4; ++r)
    for (int64_t c = 0; c < 4; ++c) {
      const int64_t h = row + r, w = column + c;
      const bool inside = t >= 0 && t < plan.in.t && h >= 0 && h < plan.in.h && w >= 0 && w < plan.in.w;
      patch[r * 4 + c] = inside ? in + plan.in.index(n, t, h, w, 0) : zeros;
    }
  return patch;
}

/// B^T d B, where `at(r, c)` gives d and `put(r, c, value)` takes the result.
template <class At, class Put>
void transform_patch(At&& at, Put&& put) {
  Vector half[4][4];  // B^T d
  for (int c = 0; c < 4; ++c) {
    const Vector d0 = at(0, c), d1 = at(1, c), d2 = at(2, c), d3 = at(3, c);
    half[0][c] = d0 - d2;
    half[1][c] = d1 + d2;
    half[2][c] = d2 - d1;
    half[3][c] = d1 - d3;
  }
  for (int r = 0; r < 4; ++r) {
    put(r, 0, half[r][0] - half[r][2]);
    put(r, 1, half[r][1] + half[r][2]);
    put(r, 2, half[r][2] - half[r][1]);
    put(r, 3, half[r][1] - half[r][3]);
  }
}

/// Transforms a tile's patch of all channels: element e goes to to[e * element_stride ...].
template <class T>
void transform_input(const std::array<const T*, kElements>& patch, int64_t channels, float* to,
                     int64_t element_stride) {
  int64_t i = 0;
  const auto put = [&](int r, int c, Vector v) { store(to + (r * 4 + c) * element_stride + i, v); };
  for (; i + kLanes <= channels; i += kLanes)
    transform_patch([&](int r, int c) { return load(patch[static_cast<size_t>(r * 4 + c)] + i); }, put);
  if (i < channels)
    transform_patch(
        [&](int r, int c) { return load_some(patch[static_cast<size_t>(r * 4 + c)] + i, channels - i); },
        put);
}

/// Clears a block's memory. Kernels also multiply what lies between the last tile or channel and the end of a
/// register tile; the products go nowhere, but scratch may hold denormal numbers (two bf16 read as one float,
/// for instance), and those cost a hundred cycles each.
inline void clear_for_padding(float* block, int64_t count) { std::fill_n(block, count, 0.0f); }

/// Calls body(range) for blocks of at most `block`, of nearly equal size.
template <class Body>
void for_each_block(Range range, int64_t block, Body&& body) {
  const int64_t blocks = div_up(range.size(), block);
  for (int64_t i = 0; i < blocks; ++i)
    body(Range{range.begin + range.size() * i / blocks, range.begin + range.size() * (i + 1) / blocks});
}

}  // namespace laban::cpu::winograd
