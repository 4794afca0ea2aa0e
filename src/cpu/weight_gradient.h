// The gradient of convolution weights, accumulated straight into the master layout.
//
//   dw[o,k,i] += sum_p dy[p,o] * x[p*s - pad + k, i]
//
// In NDHWC both factors are contiguous in their channels, so for one tap k this is a matrix product that
// needs no transposition: a tile of outputs x inputs is kept in registers while places go by, each adding the
// outer product of a few dy and a few x values. oneDNN's kernels write a blocked layout that must then be
// added into the gradient, and are slow for k x 1 x 1 filters (docs/measurements/cpu-step.md).
//
// Order of summation: fixed by the geometry and the number of threads.
#pragma once

#include "core/backend.h"
#include "core/conv_geometry.h"

namespace laban::cpu {

/// How the work is cut; made once per geometry.
struct WeightGradientPlan {
  ConvGeometry geometry;  // folded
  int threads = 1;
  int pixel_groups = 1;   // threads that share the places; the others share the tiles of dw
  int input_vectors = 1;  // of a register tile
  int64_t input_tiles = 1, output_tiles = 1;
  std::array<int64_t, 4> block{1, 1, 1, 1};  // outputs (n, t, h, w) that are taken together
  int64_t panel_x = 0, panel_dy = 0;         // floats of the packed blocks, per thread

  size_t scratch_bytes() const;
};

/// Whether this kernel is the right one: for a handful of input channels most of a vector would be empty.
bool suits_weight_gradient(const ConvGeometry& geometry);
WeightGradientPlan plan_weight_gradient(const ConvGeometry& geometry, int threads);

/// x and dy: f32 or bf16. dw: f32, in the layout O,kT,kH,kW,I.
void add_weight_gradient(const WeightGradientPlan& plan, const Tensor& x, const Tensor& dy, float* dw,
                         Scratch scratch);

}  // namespace laban::cpu
