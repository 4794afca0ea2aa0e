// laban's own CUDA kernels, one op a file: everything of core/ops but convolutions and matrix products,
// which are cuDNN's and cuBLAS's.
//
// run() only puts work on the stream: it neither allocates nor waits, and what changes from step to step (the
// learning rate, dropout's step, the gradients' norm) is read in device memory. So a whole step can be
// recorded in a CUDA graph.
//
// Sums have a fixed order that depends on shapes alone: no float atomics, and grids that do not depend on the
// GPU. The same numbers give the same bits in every run.
//
// No header of CUDA is needed here: a stream is a pointer to an incomplete type, cudaStream_t.
//
// dtypes: activations f32 or bf16 (Cast: f64 too), everything else as core/backend.h says. Activations with
// channels in whole packs of 16 bytes, on addresses that are multiples of 16, move 16 bytes at a time; all
// others one element at a time.
#pragma once

#include "core/backend.h"

struct CUstream_st;  // CUDA's name for what a cudaStream_t points to

namespace laban::cuda {

using Stream = ::CUstream_st*;

// The kernel of an op is declared here: run(op, stream) or, where it needs scratch, run(op, scratch, stream) and
// scratch_bytes(op). own_ops.h checks that there is one for every op of AllOps that no library computes.

void run(const BatchNormTrain& op, Scratch scratch, Stream stream);
void run(const BatchNormInfer& op, Stream stream);
void run(const BatchNormBackward& op, Scratch scratch, Stream stream);
void run(const InverseStd& op, Stream stream);
size_t scratch_bytes(const BatchNormTrain& op);
size_t scratch_bytes(const BatchNormBackward& op);

void run(const ReluForward& op, Stream stream);
void run(const ReluBackward& op, Stream stream);
void run(const Accumulate& op, Stream stream);
void run(const Cast& op, Stream stream);
void run(const Dropout& op, Stream stream);
void run(const SetZero& op, Stream stream);

void run(const MaxPoolForward& op, Stream stream);
void run(const MaxPoolBackward& op, Stream stream);
void run(const GlobalAvgPoolForward& op, Stream stream);
void run(const GlobalAvgPoolBackward& op, Stream stream);
void run(const SubsampleForward& op, Stream stream);
void run(const SubsampleBackward& op, Stream stream);

void run(const ClipsFromFrames& op, Stream stream);
void run(const MixClips& op, Stream stream);

void run(const SoftmaxCrossEntropy& op, Stream stream);
void run(const Softmax& op, Stream stream);

void run(const SgdStep& op, Stream stream);
void run(const AdamStep& op, Stream stream);
void run(const MovingAverage& op, Stream stream);
void run(const SumOfSquares& op, Scratch scratch, Stream stream);
size_t scratch_bytes(const SumOfSquares& op);

// What is left of convolutions and linear layers when the library has done the product.

/// into (f32) += from (bf16): the gradient of a batch's weights where cuDNN has rounded it.
struct AccumulateWidened {
  Tensor from, into;
};
/// to[n,t,h,wo, tap*channels + c] = x[n,t,h, wo*stride + tap - padding, c] for the first `channels` of x, 0
/// outside of it and in what is left of to's channels (unfolded.h).
struct UnfoldRows {
  Tensor x, to;
  int64_t channels, taps, stride, padding;
};
/// into (f32) [n,t,h, tap, c] += from[n,t,h,0, tap*channels + c].
struct FoldRows {
  Tensor from, into;
  int64_t channels;
};
/// y[..., c] += bias[c]: forward.
struct AddBias {
  Tensor y, bias;
};
/// sums[c] += sum of x[..., c] over all places: the gradient of a bias from dy.
struct AccumulateColumnSums {
  Tensor x, sums;
};
void run(const AccumulateWidened& op, Stream stream);
void run(const UnfoldRows& op, Stream stream);
void run(const FoldRows& op, Stream stream);
void run(const AddBias& op, Stream stream);
void run(const AccumulateColumnSums& op, Scratch scratch, Stream stream);
size_t scratch_bytes(const AccumulateColumnSums& op);

}  // namespace laban::cuda
