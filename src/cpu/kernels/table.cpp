#include "cpu/kernels/conv_algorithms.h"
#include "cpu/kernels/ops.h"
#include "cpu/kernels/vectors.h"
#include "cpu/ladder/rungs.h"

namespace laban::cpu::LABAN_ISA {
namespace {

template <class Op>
concept NeedsScratch = requires(const Op& op) {
  scratch_bytes(op, 1);
};

template <class Op>
consteval Kernel<Op> kernel() {
  if constexpr (NeedsScratch<Op>)
    return {run, scratch_bytes};
  else
    return {run};
}

template <class... Ops>
consteval Kernels table(OpList<Ops...>) {
  return {{kernel<Ops>()...}, Isa::LABAN_ISA,        kLanes, conv_transforms, conv_gradients,
          add_bias_gradient,  bias_gradient_scratch, ladder};
}

}  // namespace

extern const Kernels kKernels;
constexpr Kernels kKernels = table(KernelOps());

}  // namespace laban::cpu::LABAN_ISA
