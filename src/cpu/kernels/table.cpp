#include "cpu/kernels/ops.h"
#include "cpu/kernels/vectors.h"

namespace laban::cpu::LABAN_ISA {

extern const Kernels kKernels;
const Kernels kKernels{
    .isa = Isa::LABAN_ISA,
    .lanes = kLanes,
    .batch_norm_train = batch_norm_train,
    .batch_norm_infer = batch_norm_infer,
    .batch_norm_backward = batch_norm_backward,
};

}  // namespace laban::cpu::LABAN_ISA
