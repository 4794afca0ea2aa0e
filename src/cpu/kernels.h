// The kernels as CpuBackend sees them: a table of functions for each instruction set.
//
// Every file of cpu/kernels is compiled once per instruction set, each time in a namespace of its own, and
// tells of its functions here. See cpu/kernels/isa_namespace.h for the rules there.
#pragma once

#include "core/backend.h"
#include "cpu/conv_kernel.h"
#include "cpu/isa.h"
#include "cpu/thread_pool.h"

namespace laban::cpu {

/// Runs an op whose activations are f32 or bf16.
template <class Op>
using Kernel = void (*)(const Op& op, Scratch scratch, ThreadPool& pool);

struct Kernels {
  Isa isa;
  int lanes;  // floats of a vector register

  // Convolutions: all algorithms that can compute one, which must be folded().
  ConvTransforms (*conv_transforms)(ConvDirection direction, const ConvGeometry& geometry, DType dtype,
                                    bool native_bf16);
  ConvGradients (*conv_gradients)(const ConvGeometry& geometry, DType dtype);
  /// dbias += the sums of dy over its places.
  void (*add_bias_gradient)(const Tensor& dy, const Tensor& dbias, Scratch scratch, ThreadPool& pool);
  size_t (*bias_gradient_scratch)(const Tensor& dy);

  Kernel<BatchNormTrain> batch_norm_train;
  Kernel<BatchNormInfer> batch_norm_infer;
  Kernel<BatchNormBackward> batch_norm_backward;
};

/// The table of one of compiled_isas().
const Kernels& kernels_for(Isa isa);

}  // namespace laban::cpu
