// The ops whose kernels are here, by the file that has them.
#pragma once

#include "cpu/kernels.h"
#include "cpu/kernels/isa_namespace.h"

namespace laban::cpu::LABAN_ISA {

// bias_gradient.cpp
size_t bias_gradient_scratch(const Tensor& dy);
void add_bias_gradient(const Tensor& dy, const Tensor& dbias, Scratch scratch, ThreadPool& pool);

// batch_norm.cpp
void run(const BatchNormTrain& op, Scratch scratch, ThreadPool& pool);
size_t scratch_bytes(const BatchNormTrain& op, int threads);
void run(const BatchNormInfer& op, Scratch scratch, ThreadPool& pool);
size_t scratch_bytes(const BatchNormInfer& op, int threads);
void run(const BatchNormBackward& op, Scratch scratch, ThreadPool& pool);
size_t scratch_bytes(const BatchNormBackward& op, int threads);

// elementwise.cpp
void run(const ReluForward& op, Scratch scratch, ThreadPool& pool);
void run(const ReluBackward& op, Scratch scratch, ThreadPool& pool);
void run(const Accumulate& op, Scratch scratch, ThreadPool& pool);
void run(const Cast& op, Scratch scratch, ThreadPool& pool);
void run(const Dropout& op, Scratch scratch, ThreadPool& pool);
void run(const SetZero& op, Scratch scratch, ThreadPool& pool);
void run(const SumOfSquares& op, Scratch scratch, ThreadPool& pool);
size_t scratch_bytes(const SumOfSquares& op, int threads);

// linear.cpp
void run(const LinearForward& op, Scratch scratch, ThreadPool& pool);
void run(const LinearBackwardData& op, Scratch scratch, ThreadPool& pool);
void run(const LinearBackwardWeights& op, Scratch scratch, ThreadPool& pool);

// mix_clips.cpp
void run(const MixClips& op, Scratch scratch, ThreadPool& pool);

// optimizer.cpp
void run(const SgdStep& op, Scratch scratch, ThreadPool& pool);
void run(const AdamStep& op, Scratch scratch, ThreadPool& pool);
void run(const MovingAverage& op, Scratch scratch, ThreadPool& pool);

// pool.cpp
void run(const MaxPoolForward& op, Scratch scratch, ThreadPool& pool);
void run(const MaxPoolBackward& op, Scratch scratch, ThreadPool& pool);
size_t scratch_bytes(const MaxPoolBackward& op, int threads);
void run(const GlobalAvgPoolForward& op, Scratch scratch, ThreadPool& pool);
void run(const GlobalAvgPoolBackward& op, Scratch scratch, ThreadPool& pool);

}  // namespace laban::cpu::LABAN_ISA
