// The kernels as CpuBackend sees them: a table of functions for each instruction set.
//
// Every file of cpu/kernels is compiled once per instruction set, each time in a namespace of its own, and
// tells of its functions here. See cpu/kernels/isa_namespace.h for the rules there.
#pragma once

#include "core/backend.h"
#include "cpu/isa.h"
#include "cpu/thread_pool.h"

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

  template <class Op>
  const Kernel<Op>& of() const {
    return *this;
  }
};

/// The table of one of compiled_isas().
const Kernels& kernels_for(Isa isa);

}  // namespace laban::cpu
