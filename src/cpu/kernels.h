// The kernels as CpuBackend sees them: a table of functions for each instruction set.
//
// Every file of cpu/kernels is compiled once per instruction set, each time in a namespace of its own, and
// tells of its functions here. See cpu/kernels/isa_namespace.h for the rules there.
#pragma once

#include "core/ops/op_list.h"
#include "cpu/conv_kernel.h"
#include "cpu/isa.h"
#include "cpu/ladder/ladder.h"
#include "cpu/thread_pool.h"

namespace laban {

// Declared, not included: a kernel is built anew when its own op changes, not with every op.
struct Accumulate;
struct AdamStep;
struct BatchNormBackward;
struct BatchNormInfer;
struct BatchNormTrain;
struct Cast;
struct Dropout;
struct GlobalAvgPoolBackward;
struct GlobalAvgPoolForward;
struct LinearBackwardData;
struct LinearBackwardWeights;
struct LinearForward;
struct MaxPoolBackward;
struct MaxPoolForward;
struct MixClips;
struct MovingAverage;
struct ReluBackward;
struct ReluForward;
struct SetZero;
struct SgdStep;
struct SumOfSquares;

}  // namespace laban

namespace laban::cpu {

/// One op whose activations (or, for an optimizer, weights) are f32 or bf16.
template <class Op>
struct Kernel {
  void (*run)(const Op& op, Scratch scratch, ThreadPool& pool);
  /// For as many threads; null: it needs none.
  size_t (*scratch_bytes)(const Op& op, int threads) = nullptr;
};

/// The ops that are such kernels. Convolutions are not: see convolution.h.
using KernelOps = OpList<BatchNormTrain, BatchNormInfer, BatchNormBackward, ReluForward, ReluBackward,
                         Accumulate, Cast, Dropout, SetZero, MaxPoolForward, MaxPoolBackward,
                         GlobalAvgPoolForward, GlobalAvgPoolBackward, LinearForward, LinearBackwardData,
                         LinearBackwardWeights, SgdStep, AdamStep, MovingAverage, SumOfSquares, MixClips>;

template <class List>
struct KernelsOf;
template <class... Ops>
struct KernelsOf<OpList<Ops...>> : Kernel<Ops>... {};

struct Kernels : KernelsOf<KernelOps> {
  Isa isa = {};
  int lanes = 1;  // floats of a vector register

  /// All algorithms that can compute a convolution, which must be folded(). `native_bf16`: with those that
  /// multiply bf16 by the processor's own instructions, where it has them.
  ConvTransforms (*conv_transforms)(ConvDirection direction, const ConvGeometry& geometry, DType dtype,
                                    bool native_bf16) = nullptr;
  ConvGradients (*conv_gradients)(const ConvGeometry& geometry, DType dtype) = nullptr;
  /// dbias += the sums of dy over its places.
  void (*add_bias_gradient)(const Tensor& dy, const Tensor& dbias, Scratch scratch,
                            ThreadPool& pool) = nullptr;
  size_t (*bias_gradient_scratch)(const Tensor& dy) = nullptr;

  /// The rungs of the convolution ladder, from the first to the last.
  std::span<const LadderRung> (*ladder)() = nullptr;

  template <class Op>
  const Kernel<Op>& of() const {
    return *this;
  }
};

/// The table of one of compiled_isas().
const Kernels& kernels_for(Isa isa);

}  // namespace laban::cpu
