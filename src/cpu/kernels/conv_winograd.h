// Convolutions by Winograd's minimal filtering (winograd_filters.h), applied along the rows and the columns of
// a frame: tiles of outputs are made from patches of inputs,
//
//   Y = A^T [ sum_i (G g_i G^T) * (B^T d_i B) ] A          (* element by element)
//
// For each element the sum over input channels (and over frames of the kernel) is a matrix product, tiles x
// inputs by inputs x outputs. The gradient of the input is the same operation on dy, with the kernel mirrored;
// the gradient of the weights is the adjoint (conv_winograd_gradient.cpp): with dM = A dY A^T,
//
//   dg = G^T [ sum_tiles dM * (B^T d B) ] G
//
// A k x 1 x 1 convolution, folded, has frames for rows and places for columns: one filter along the rows.
#pragma once

#include <array>

#include "cpu/conv_kernel.h"
#include "cpu/kernels/register_tile.h"
#include "cpu/kernels/winograd_filters.h"

namespace laban::cpu::LABAN_ISA {

/// One convolution as tiles: `in` is convolved into `out`; for the gradient of the input, `in` is dy.
struct WinogradPlan {
  Shape in, out;
  int64_t frames = 1;        // of the kernel
  int64_t frame_stride = 1;  // only forward and weights may have more than 1
  std::array<int64_t, 3> padding{0, 0, 0};
  int row_outputs = 2, column_outputs = 2;  // m of F(m, 3) along rows and columns; 1: no filter
  int64_t tile_rows = 1, tile_columns = 1;  // of a frame of `out`

  int64_t tiles() const { return out.n * out.t * tile_rows * tile_columns; }
};

/// Whether the geometry has such tiles. `row_outputs`, `column_outputs`: 2 or 4, or 1 for an axis with one tap.
bool has_tiles(ConvDirection direction, const ConvGeometry& geometry, int row_outputs, int column_outputs);
WinogradPlan plan_tiles(ConvDirection direction, const ConvGeometry& geometry, int row_outputs,
                        int column_outputs);
const char* name_of_tiles(const WinogradPlan& plan);

/// A tile: its frame of `out`, counted through the batch, and its first row and column.
struct WinogradTile {
  int64_t frame, row, column;
};
inline WinogradTile tile_at(const WinogradPlan& plan, int64_t index) {
  const int64_t per_frame = plan.tile_rows * plan.tile_columns;
  const int64_t inside = index % per_frame;
  return {index / per_frame, inside / plan.tile_columns * plan.row_outputs,
          inside % plan.tile_columns * plan.column_outputs};
}

/// Channels as they lie in transformed tiles: whole vectors, the last one filled up with zeros.
inline int64_t padded_channels(int64_t channels) { return round_up(channels, kLanes); }

/// The distance between elements that hold `floats` each. A transform touches all of them at once: were they
/// a multiple of a page apart, they would all want the same few lines of the L1 cache.
inline int64_t apart(int64_t floats) { return round_up(floats, 1024) + kLanes; }

/// The inputs of a tile's patch for frame `kt` of the kernel, `zeros` where they lie in the padding. Returns
/// whether any of it lies inside.
template <class Rows, class Columns, class T>
bool find_patch(const WinogradPlan& plan, const WinogradTile& tile, int64_t kt, const T* in, const T* zeros,
                const T* (&patch)[Rows::kElements][Columns::kElements]) {
  const int64_t n = tile.frame / plan.out.t;
  const int64_t t = tile.frame % plan.out.t * plan.frame_stride - plan.padding[0] + kt;
  if (t < 0 || t >= plan.in.t) return false;
  const int64_t row = tile.row - plan.padding[1], column = tile.column - plan.padding[2];
  const T* frame = in + (n * plan.in.t + t) * plan.in.h * plan.in.w * plan.in.c;
  for (int r = 0; r < Rows::kElements; ++r) {
    const int64_t h = row + r;
    const bool has_row = h >= 0 && h < plan.in.h;
    const T* first = frame + (h * plan.in.w + column) * plan.in.c;
    for (int c = 0; c < Columns::kElements; ++c, first += plan.in.c)
      patch[r][c] = has_row && column + c >= 0 && column + c < plan.in.w ? first : zeros;
  }
  return true;
}

/// B^T d B of a tile's patch of all channels: element e goes to to[e * element_stride ...].
template <class Rows, class Columns, class T>
void transform_input(const T* const (&patch)[Rows::kElements][Columns::kElements], int64_t channels,
                     float* to, int64_t element_stride) {
  constexpr int kRows = Rows::kElements, kColumns = Columns::kElements;
  const auto transform = [&](int64_t i, auto&& at) __attribute__((always_inline)) {
    apply_both<kRows, kColumns, kRows, kColumns, Vector>(
        [](const auto& d, auto& v) { Rows::input(d, v); },
        [](const auto& d, auto& v) { Columns::input(d, v); }, at,
        [&](int r, int c, Vector v) { store(to + (r * kColumns + c) * element_stride + i, v); });
  };
  int64_t i = 0;
  for (; i + kLanes <= channels; i += kLanes)
    transform(i, [&](int r, int c) { return load(patch[r][c] + i); });
  if (i < channels) transform(i, [&](int r, int c) { return load_some(patch[r][c] + i, channels - i); });
}

/// Calls body.operator()<Rows, Columns>() with the plan's filters.
template <class Body>
void with_filters(const WinogradPlan& plan, Body&& body) {
  if (plan.column_outputs == 4)
    body.template operator()<Filter<4>, Filter<4>>();
  else if (plan.column_outputs == 2)
    body.template operator()<Filter<2>, Filter<2>>();
  else if (plan.row_outputs == 4)
    body.template operator()<Filter<4>, Filter<1>>();
  else
    body.template operator()<Filter<2>, Filter<1>>();
}

/// Kernels also multiply what lies between the last tile or channel and the end of a register tile; the
/// products go nowhere, but scratch may hold denormal numbers (two bf16 read as one float, for instance), and
/// those cost a hundred cycles each.
inline void clear_for_padding(float* block, int64_t count) { std::fill_n(block, count, 0.0f); }

}  // namespace laban::cpu::LABAN_ISA
