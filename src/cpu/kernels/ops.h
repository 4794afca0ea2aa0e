// The ops whose kernels are here, by the file that has them.
#pragma once

#include "cpu/kernels.h"
#include "cpu/kernels/isa_namespace.h"

namespace laban::cpu::LABAN_ISA {

// bias_gradient.cpp
size_t bias_gradient_scratch(const Tensor& dy);
void add_bias_gradient(const Tensor& dy, const Tensor& dbias, Scratch scratch, ThreadPool& pool);

// batch_norm.cpp
void batch_norm_train(const BatchNormTrain& op, Scratch scratch, ThreadPool& pool);
void batch_norm_infer(const BatchNormInfer& op, Scratch scratch, ThreadPool& pool);
void batch_norm_backward(const BatchNormBackward& op, Scratch scratch, ThreadPool& pool);

}  // namespace laban::cpu::LABAN_ISA
