// The mean over all of t, h, w, and its gradient. A block has one sample (blockIdx.z).
#include "cuda/kernels/reduce.h"

namespace laban::cuda {
namespace {

template <class T, int n>
__global__ void __launch_bounds__(kThreads) average_forward(int rows, int packs, const T* x, T* y) {
  const int pack = my_pack();
  const int64_t channels = int64_t{packs} * n, sample = blockIdx.z;
  Floats<n> sum{};
  if (pack < packs) {
    const T* column = x + sample * rows * channels + pack * n;
    for_each_batch<4>(rows, [&]<int batch>(Batch<batch> row) {
      Floats<n> values[batch];
      for (int j = 0; j < batch; ++j) values[j] = load<n>(column + row[j] * channels);
      for (int v = 0; v < n; ++v) {
        float few = 0;
        for (int j = 0; j < batch; ++j) few += values[j][v];
        sum[v] += few;
      }
    });
  }
  reduce_block(sum, AddAll());
  if (threadIdx.y != 0 || pack >= packs) return;
  for (int v = 0; v < n; ++v) sum[v] = sum[v] / static_cast<float>(rows);
  store(y + sample * channels + pack * n, sum);
}

template <class T, int n>
__global__ void __launch_bounds__(kThreads) average_backward(int rows, int packs, const T* dy, T* dx) {
  const int pack = my_pack();
  if (pack >= packs) return;
  const int64_t channels = int64_t{packs} * n, sample = blockIdx.z;
  Floats<n> each = load<n>(dy + sample * channels + pack * n);
  for (int v = 0; v < n; ++v) each[v] = each[v] / static_cast<float>(rows);
  T* column = dx + sample * rows * channels + pack * n;
  for_each_batch<4>(rows, [&]<int batch>(Batch<batch> row) {
    for (int j = 0; j < batch; ++j) store(column + row[j] * channels, each);
  });
}

/// A grid over the places of one sample, times the samples.
RowGrid cover_samples(const Shape& shape, int n, int rows_of_thread) {
  const Shape sample{1, shape.c, shape.t, shape.h, shape.w};
  RowGrid cover = cover_rows(sample, n, rows_of_thread);
  require(shape.n <= 65535, "global average pool: more than 65535 samples");
  cover.grid.z = narrow_extent(shape.n);
  cover.shape = shape;
  return cover;
}

}  // namespace

void run(const GlobalAvgPoolForward& op, Stream stream) {
  with_type(op.x.dtype, [&]<class T>() {
    with_pack<T>(op.x.shape, aligned(op.x, op.y), [&]<int n>() {
      RowGrid cover = cover_samples(op.x.shape, n, 1);
      cover.grid.x = 1;  // one block sums a sample up
      launch(cover.launch("global average pool", stream), average_forward<T, n>, cover.rows, cover.packs,
             op.x.as<T>(), op.y.as<T>());
    });
  });
}

void run(const GlobalAvgPoolBackward& op, Stream stream) {
  with_type(op.dx.dtype, [&]<class T>() {
    with_pack<T>(op.dx.shape, aligned(op.dx, op.dy), [&]<int n>() {
      const RowGrid cover = cover_samples(op.dx.shape, n, kRowsOfThread);
      launch(cover.launch("global average pool backward", stream), average_backward<T, n>, cover.rows,
             cover.packs, op.dy.as<T>(), op.dx.as<T>());
    });
  });
}

}  // namespace laban::cuda
