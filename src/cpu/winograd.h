// Convolutions with k x 3 x 3 kernels and spatial stride 1 in 2.25 times fewer multiplications: Winograd's
// minimal filtering F(2x2, 3x3), after Lavin & Gray, "Fast algorithms for convolutional neural networks",
// CVPR 2016.
//
// Outputs are made in tiles of 2 x 2, each from a patch d of 4 x 4 inputs:
//
//   Y = A^T [ sum_i (G g_i G^T) * (B^T d_i B) ] A          (* element by element, 16 of them)
//
//         | 1  0 -1  0 |        | 1    0    0  |          | 1  1  1  0 |
//   B^T = | 0  1  1  0 |    G = | 1/2  1/2 1/2 |    A^T = | 0  1 -1 -1 |
//         | 0 -1  1  0 |        | 1/2 -1/2 1/2 |
//         | 0  1  0 -1 |        | 0    0    1  |
//
// For each of the 16 elements the sum over input channels (and over frames of the kernel) is a matrix product
// tiles x inputs by inputs x outputs, and the transforms are additions. The gradient of the input is the same
// operation on dy, with the kernel mirrored. The gradient of the weights is the adjoint: with dM = A dY A^T,
//
//   dg = G^T [ sum_tiles dM * (B^T d B) ] G
//
// F(2x2, 3x3) is the mildest of the family: its transforms add at most four numbers, and its error in float
// is within twice that of summing directly (tests/cpu).
#pragma once

#include "core/backend.h"
#include "core/conv_geometry.h"
#include "cpu/onednn.h"
#include "cpu/vectors.h"

namespace laban::cpu {

/// One convolution as tiles: `in` is convolved into `out`; for the gradient of the input, `in` is dy.
struct WinogradPlan {
  Shape in, out;
  int64_t frames = 1;        // of the kernel
  int64_t frame_stride = 1;  // only forward and weights may have more than 1
  std::array<int64_t, 3> padding{0, 0, 0};
  int threads = 1;
  int64_t tile_rows = 1, tile_columns = 1;  // of a frame of `out`
  int64_t block = 1;                        // tiles that a thread takes together

  int64_t tiles() const { return out.n * out.t * tile_rows * tile_columns; }
};

/// Whether the geometry has tiles at all, and enough of them for the transforms to pay.
bool suits_winograd(ConvDirection direction, const ConvGeometry& geometry);
WinogradPlan plan_winograd(ConvDirection direction, const ConvGeometry& geometry, int threads);

// ---- forward, and the gradient of the input ----

/// Floats of the transformed kernels, and the transformation. `weights` (f32 or bf16): O,kT,3,3,I.
int64_t winograd_weights_count(const WinogradPlan& plan);
void transform_weights(const WinogradPlan& plan, ConvDirection direction, const void* weights, DType dtype,
                       float* transformed);

size_t winograd_scratch_bytes(const WinogradPlan& plan);
struct WinogradTarget {
  Tensor out;
  const float* bias = nullptr;  // may be null
  bool accumulate = false;      // out += the result, instead of out = it
};
void run_winograd(const WinogradPlan& plan, const Tensor& in, const float* transformed,
                  const WinogradTarget& target, Scratch scratch);

// ---- the gradient of the weights (winograd_gradient.cpp) ----

size_t winograd_gradient_scratch_bytes(const WinogradPlan& plan);
/// dw (f32, O,kT,3,3,I) += the gradient, from x (plan.in) and dy (plan.out).
void add_winograd_gradient(const WinogradPlan& plan, const Tensor& x, const Tensor& dy, float* dw,
                           Scratch scratch);

}  // namespace laban::cpu
