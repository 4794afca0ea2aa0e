// Softmax, and cross-entropy on top of it. A warp has a row: its lanes take every 32nd class, and find
// maximum and sum together. Formulas: math/softmax.h.
#include "cuda/kernels/device.h"
#include "math/softmax.h"

namespace laban::cuda {
namespace {

constexpr int kRowsOfBlock = 4;

/// Combines the values of all lanes; every lane gets the same bits, since both of a pair add the same two.
template <class Combine>
__device__ float over_warp(float value, Combine&& combine) {
  for (int bits = kWarp / 2; bits > 0; bits /= 2)
    value = combine(value, __shfl_xor_sync(kFullWarp, value, bits));
  return value;
}
__device__ float sum_over_warp(float value) {
  return over_warp(value, [](float a, float b) { return a + b; });
}

/// Which row this warp has; rows beyond the last one have no work, and no warp is ever split.
__device__ int64_t my_row() { return int64_t{blockIdx.x} * kRowsOfBlock + threadIdx.y; }

__device__ SoftmaxRow<float> softmax_row(const float* logits, int classes) {
  const int lane = static_cast<int>(threadIdx.x);
  float max = logits[0], sum = 0;
  for (int k = lane; k < classes; k += kWarp) max = logits[k] > max ? logits[k] : max;
  max = over_warp(max, [](float a, float b) { return a > b ? a : b; });
  for (int k = lane; k < classes; k += kWarp) sum += std::exp(logits[k] - max);
  return {max, sum_over_warp(sum)};
}

__global__ void __launch_bounds__(kWarp* kRowsOfBlock)
    softmax(int64_t rows, int classes, const float* logits, float* probabilities) {
  if (my_row() >= rows) return;
  const int64_t first = my_row() * classes;
  const SoftmaxRow<float> row = softmax_row(logits + first, classes);
  for (int k = static_cast<int>(threadIdx.x); k < classes; k += kWarp)
    probabilities[first + k] = row.probability(logits[first + k]);
}

/// `dlogits`, `weights`, and `others` with `fractions`, may be null.
__global__ void __launch_bounds__(kWarp* kRowsOfBlock)
    softmax_cross_entropy(int64_t rows, int classes, const float* logits, const int32_t* labels,
                          const int32_t* others, const float* fractions, const float* weights, float* loss,
                          float* dlogits, float smoothing, float scale) {
  if (my_row() >= rows) return;
  const int64_t first = my_row() * classes;
  const SoftmaxRow<float> row = softmax_row(logits + first, classes);
  const int64_t label = labels[my_row()];
  const SmoothedTarget<float> target(label, others ? others[my_row()] : label,
                                     fractions ? fractions[my_row()] : 1, classes, smoothing);
  float sum = 0, mass = 1;  // of the targets
  if (weights) {
    mass = 0;
    for (int k = static_cast<int>(threadIdx.x); k < classes; k += kWarp) mass += target(k) * weights[k];
    mass = sum_over_warp(mass);
  }
  for (int k = static_cast<int>(threadIdx.x); k < classes; k += kWarp) {
    const float z = logits[first + k];
    const float q = target(k) * (weights ? weights[k] : 1);
    if (q != 0) sum -= q * row.log_probability(z);  // 0 log 0 counts as 0
    if (dlogits) dlogits[first + k] = scale * (row.probability(z) * mass - q);
  }
  sum = sum_over_warp(sum);
  if (threadIdx.x == 0) loss[my_row()] = sum;
}

Launch rows_launch(std::string_view kernel, const Shape& shape, Stream stream) {
  return {.kernel = kernel,
          .shape = shape,
          .grid = {narrow_extent(ceil_div(shape.n, kRowsOfBlock)), 1, 1},
          .block = {kWarp, kRowsOfBlock, 1},
          .stream = stream};
}

}  // namespace

void run(const Softmax& op, Stream stream) {
  const Shape& shape = op.logits.shape;
  launch(rows_launch("softmax", shape, stream), softmax, shape.n, static_cast<int>(shape.c),
         op.logits.as<float>(), op.probabilities.as<float>());
}

void run(const SoftmaxCrossEntropy& op, Stream stream) {
  const Shape& shape = op.logits.shape;
  launch(rows_launch("softmax cross-entropy", shape, stream), softmax_cross_entropy, shape.n,
         static_cast<int>(shape.c), op.logits.as<float>(), op.labels.as<int32_t>(),
         op.other_labels.as_or_null<int32_t>(), op.fraction.as_or_null<float>(),
         op.class_weights.as_or_null<float>(), op.loss.as<float>(), op.dlogits.as_or_null<float>(),
         static_cast<float>(op.smoothing), static_cast<float>(op.scale));
}

}  // namespace laban::cuda
