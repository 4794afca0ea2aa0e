#include "cpu/kernels/conv_algorithms.h"
#include "cpu/kernels/ops.h"
#include "cpu/kernels/vectors.h"

namespace laban::cpu::LABAN_ISA {

extern const Kernels kKernels;
const Kernels kKernels{
    .isa = Isa::LABAN_ISA,
    .lanes = kLanes,
    .conv_transforms = conv_transforms,
    .conv_gradients = conv_gradients,
    .add_bias_gradient = add_bias_gradient,
    .bias_gradient_scratch = bias_gradient_scratch,
    .batch_norm_train = batch_norm_train,
    .batch_norm_infer = batch_norm_infer,
    .batch_norm_backward = batch_norm_backward,
};

}  // namespace laban::cpu::LABAN_ISA
