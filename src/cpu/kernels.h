// The kernels as CpuBackend sees them: a table of functions for each instruction set.
//
// Every file of cpu/kernels is compiled once per instruction set, each time in a namespace of its own, and
// tells of its functions here. See cpu/kernels/isa_namespace.h for the rules there.
#pragma once

#include "core/backend.h"
#include "cpu/isa.h"
#include "cpu/thread_pool.h"

namespace laban::cpu {

/// Runs an op whose activations are f32 or bf16.
template <class Op>
using Kernel = void (*)(const Op& op, Scratch scratch, ThreadPool& pool);

struct Kernels {
  Isa isa;
  int lanes;  // floats of a vector register

  Kernel<BatchNormTrain> batch_norm_train;
  Kernel<BatchNormInfer> batch_norm_infer;
  Kernel<BatchNormBackward> batch_norm_backward;
};

/// The table of one of compiled_isas().
const Kernels& kernels_for(Isa isa);

}  // namespace laban::cpu
