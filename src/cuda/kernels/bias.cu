// The bias of a convolution or a linear layer, where the library that did the product left it to us: added to
// every place going forward, summed over all places going backward.
#include "cuda/kernels/reduce.h"

namespace laban::cuda {
namespace {

template <class T, int n>
__global__ void __launch_bounds__(kThreads) add_bias(int rows, int packs, T* y, const float* bias) {
  const int pack = my_pack();
  if (pack >= packs) return;
  const int64_t channels = int64_t{packs} * n;
  Floats<n> added;
  for (int v = 0; v < n; ++v) added[v] = bias[pack * n + v];
  for_each_batch<4>(rows, [&]<int batch>(Batch<batch> row) {
    const auto place = [&](int j) { return row[j] * channels + pack * n; };
    Floats<n> values[batch];
    for (int j = 0; j < batch; ++j) values[j] = load<n>(y + place(j));
    for (int j = 0; j < batch; ++j) {
      for (int v = 0; v < n; ++v) values[j][v] += added[v];
      store(y + place(j), values[j]);
    }
  });
}

template <class T, int n>
__global__ void __launch_bounds__(kThreads) column_sums(int rows, int packs, const T* x, float* partial) {
  const int pack = my_pack();
  const int64_t channels = int64_t{packs} * n;
  Floats<n> sum{};
  if (pack < packs)
    for_each_batch<4>(rows, [&]<int batch>(Batch<batch> row) {
      Floats<n> values[batch];
      for (int j = 0; j < batch; ++j) values[j] = load<n>(x + row[j] * channels + pack * n);
      for (int v = 0; v < n; ++v) {
        float few = 0;
        for (int j = 0; j < batch; ++j) few += values[j][v];
        sum[v] += few;
      }
    });
  reduce_block(sum, AddAll());
  if (threadIdx.y == 0 && pack < packs) store(partial + blockIdx.x * channels + pack * n, sum);
}

__global__ void __launch_bounds__(kFinishWidth* kFinishHeight)
    column_sums_finish(int channels, int blocks, const float* partial, float* sums) {
  const int c = finish_channel();
  const bool mine = c < channels;
  const double total =
      total_of_partials(mine, blocks, [&](int b) { return partial[int64_t{b} * channels + c]; });
  if (mine && threadIdx.y == 0) sums[c] = static_cast<float>(sums[c] + total);
}

}  // namespace

void run(const AddBias& op, Stream stream) {
  with_type(op.y.dtype, [&]<class T>() {
    with_pack<T>(op.y.shape, aligned(op.y), [&]<int n>() {
      const RowGrid cover = cover_rows(op.y.shape, n, 4, kManyBlocks);
      launch(cover.launch("add bias", stream), add_bias<T, n>, cover.rows, cover.packs, op.y.as<T>(),
             op.bias.as<float>());
    });
  });
}

size_t scratch_bytes(const AccumulateColumnSums& op) {
  return most_over_packs(op.x.shape, kRowsOfThread, [&](int64_t blocks) {
    return ScratchCutter::bytes_for({bytes_of<float>(blocks * op.x.shape.c)});
  });
}

void run(const AccumulateColumnSums& op, Scratch memory, Stream stream) {
  with_type(op.x.dtype, [&]<class T>() {
    with_pack<T>(op.x.shape, aligned(op.x), [&]<int n>() {
      const RowGrid cover = cover_rows(op.x.shape, n, kRowsOfThread);
      const int blocks = static_cast<int>(cover.grid.x);
      float* partial = ScratchCutter(memory).take_array<float>(blocks * op.x.shape.c);
      launch(cover.launch("sums over places", stream), column_sums<T, n>, cover.rows, cover.packs,
             op.x.as<T>(), partial);
      launch(finish_launch("end of sums over places", op.x.shape.c, stream), column_sums_finish,
             cover.packs * n, blocks, partial, op.sums.as<float>());
    });
  });
}

}  // namespace laban::cuda
