// The algorithms for convolutions: one factory each.
#pragma once

#include <algorithm>

#include "cpu/conv_kernel.h"
#include "cpu/kernels/vectors.h"

namespace laban::cpu::LABAN_ISA {

/// All of an instruction set's that can compute the convolution, which must be folded(); never empty.
/// `native_bf16`: with those that multiply bf16 by the processor's own instructions, where it has them.
ConvTransforms conv_transforms(ConvDirection direction, const ConvGeometry& geometry, DType dtype,
                               bool native_bf16);
ConvGradients conv_gradients(const ConvGeometry& geometry, DType dtype);

// conv_direct.cpp
std::unique_ptr<ConvTransform> make_direct(ConvDirection direction, const ConvGeometry& geometry,
                                           DType dtype);
/// bf16 only; null where the instruction set has nothing for it.
std::unique_ptr<ConvTransform> make_native_direct(ConvDirection direction, const ConvGeometry& geometry);
// conv_direct_gradient.cpp
std::unique_ptr<ConvGradient> make_direct_gradient(const ConvGeometry& geometry, DType dtype);
// conv_winograd.cpp; null where the geometry has no such tiles.
std::unique_ptr<ConvTransform> make_winograd(ConvDirection direction, const ConvGeometry& geometry,
                                             DType dtype, int row_outputs, int column_outputs);
// conv_winograd_gradient.cpp; likewise.
std::unique_ptr<ConvGradient> make_winograd_gradient(const ConvGeometry& geometry, DType dtype,
                                                     int row_outputs, int column_outputs);

/// What an algorithm does, for the model of its cost.
struct Work {
  double products = 0;    // multiply-adds of vectors
  double moved = 0;       // vectors that transforms and packing load, combine and store
  double sum_length = 1;  // products between two visits to memory
  double streamed = 0;    // bytes that pass by while products are made: weights, or sums ...
  double footprint = 0;   // ... and how many different ones these are
  double passes = 0;      // bytes written, or read, besides
};
/// Nanoseconds on one core, roughly. A multiply-add of a register tile takes half a cycle, beginning and ending
/// a sum about as long as eight; a vector on its way through a transform about two cycles. What streams by
/// comes from the cache that holds it, or from memory, while products are made. A cycle counts as a third of a
/// nanosecond.
inline double machine_cost(const Work& work) {
  const double rate = work.footprint <= 256e3 ? 64 : work.footprint <= 16e6 ? 30 : 15;  // bytes a nanosecond
  const double products = 0.5 / 3 * work.products * (1 + 4 / work.sum_length);
  return std::max(products, work.streamed / rate) + 2.0 / 3 * work.moved +
         work.passes / (work.footprint > 16e6 ? 6 : 20);
}

}  // namespace laban::cpu::LABAN_ISA
