// The gradient of batch normalization, in three kernels. g is the gradient of z, dy behind the ReLU:
//
//   1. reduce: sum g and sum g*(x - mean) over each block's rows. Where there is a residual, g is its
//      gradient: it is stored here, and the third kernel reads it instead of dy and y.
//   2. finish: dbeta += sum g, dgamma += sum g*xhat; the two means that dx needs.
//   3. apply: dx.
//
// What the ReLU let through is told by y or, where y came from x alone, by x, which is read anyway. With a
// residual that is 3 tensors read and 1 written, then 2 read and 1 written; without, 2 read (3 where y is
// asked), then 2 (3) and 1.
#include "cuda/kernels/batch_norm_apply.h"
#include "cuda/kernels/reduce.h"

namespace laban::cuda {
namespace {

/// What the blocks of the first kernel leave, [block][channel]; what the second makes of it, [channel].
struct GradientSums {
  float *g, *gx;
  float *mean_g, *mean_g_xhat;
};

/// What tells which elements the ReLU let through.
enum class Mask : uint8_t { none, from_y, from_x };

template <class T, int n, Mask mask, bool with_residual>
__global__ void __launch_bounds__(kThreads, 3)
    batch_norm_backward_reduce(int rows, int packs, const T* x, const T* y, const T* dy, T* dresidual,
                               BatchNormVectors vectors, GradientSums sums) {
  const int pack = my_pack();
  const int64_t channels = int64_t{packs} * n;
  Floats<2 * n> total{};  // of g, of g*(x - mean)
  if (pack < packs) {
    BatchNormAffine<float> forward[n];  // only the mean, where the mask is not from x
    for (int v = 0; v < n; ++v) {
      if constexpr (mask == Mask::from_x)
        forward[v] = vectors.channel<false>(pack * n + v);
      else
        forward[v] = {vectors.mean[pack * n + v], 0, 0};
    }
    for_each_batch<2>(rows, [&]<int batch>(Batch<batch> row) {
      const auto place = [&](int j) { return row[j] * channels + pack * n; };
      Floats<n> value[batch], g[batch];
      [[maybe_unused]] Floats<n> output[batch];
      for (int j = 0; j < batch; ++j) {
        value[j] = load<n>(x + place(j));
        g[j] = load<n>(dy + place(j));
        if constexpr (mask == Mask::from_y) output[j] = load<n>(y + place(j));
      }
      for (int j = 0; j < batch; ++j) {
        if constexpr (mask == Mask::from_x)
          for (int v = 0; v < n; ++v) g[j][v] = relu_gradient(forward[v](value[j][v]), g[j][v]);
        if constexpr (mask == Mask::from_y)
          for (int v = 0; v < n; ++v) g[j][v] = relu_gradient(output[j][v], g[j][v]);
        if constexpr (with_residual) store(dresidual + place(j), g[j]);
      }
      for (int v = 0; v < n; ++v) {
        float sum = 0, sum_x = 0;  // of a few first: a sum of sums loses less
        for (int j = 0; j < batch; ++j) {
          sum += g[j][v];
          sum_x += g[j][v] * (value[j][v] - forward[v].mean);
        }
        total[v] += sum;
        total[n + v] += sum_x;
      }
    });
  }
  reduce_block(total, AddAll());
  if (threadIdx.y != 0 || pack >= packs) return;
  Floats<n> sum, sum_x;
  for (int v = 0; v < n; ++v) {
    sum[v] = total[v];
    sum_x[v] = total[n + v];
  }
  const int64_t place = blockIdx.x * channels + pack * n;
  store(sums.g + place, sum);
  store(sums.gx + place, sum_x);
}

/// `per_value`: 1 / rows, or 0 where the statistics were constants and pass no gradient on.
__global__ void __launch_bounds__(kFinishWidth* kFinishHeight)
    batch_norm_backward_finish(int channels, int blocks, GradientSums sums, const float* inv_std,
                               float* dgamma, float* dbeta, double per_value) {
  const int c = finish_channel();
  const bool mine = c < channels;
  const auto place = [&](int block) { return int64_t{block} * channels + c; };
  const double g = total_of_partials(mine, blocks, [&](int b) { return sums.g[place(b)]; });
  const double gx = total_of_partials(mine, blocks, [&](int b) { return sums.gx[place(b)]; });
  if (!mine || threadIdx.y != 0) return;
  const double g_xhat = gx * inv_std[c];
  dbeta[c] = static_cast<float>(dbeta[c] + g);
  dgamma[c] = static_cast<float>(dgamma[c] + g_xhat);
  sums.mean_g[c] = static_cast<float>(g * per_value);
  sums.mean_g_xhat[c] = static_cast<float>(g_xhat * per_value);
}

/// `gradient` is g itself, or dy that has yet to be masked. Rows go from the last to the first, as in
/// batch_norm_apply.h.
template <class T, int n, Mask mask>
__global__ void __launch_bounds__(kThreads, 3)
    batch_norm_backward_apply(int rows, int packs, const T* x, const T* y, const T* gradient, T* dx,
                              BatchNormVectors vectors, GradientSums sums) {
  const int pack = my_pack();
  if (pack >= packs) return;
  const int64_t channels = int64_t{packs} * n;
  BatchNormGradient<float> formula[n];
  [[maybe_unused]] BatchNormAffine<float> forward[n];
  for (int v = 0; v < n; ++v) {
    const int c = pack * n + v;
    formula[v] = {vectors.mean[c], vectors.spread[c], vectors.gamma[c], sums.mean_g[c], sums.mean_g_xhat[c]};
    if constexpr (mask == Mask::from_x) forward[v] = vectors.channel<false>(c);
  }
  for_each_batch<2>(rows, [&]<int batch>(Batch<batch> row) {
    const auto place = [&](int j) { return (rows - 1 - row[j]) * channels + pack * n; };
    Floats<n> value[batch], g[batch];
    [[maybe_unused]] Floats<n> output[batch];
    for (int j = 0; j < batch; ++j) {
      value[j] = load<n>(x + place(j));
      g[j] = load<n>(gradient + place(j));
      if constexpr (mask == Mask::from_y) output[j] = load<n>(y + place(j));
    }
    for (int j = 0; j < batch; ++j) {
      for (int v = 0; v < n; ++v) {
        if constexpr (mask == Mask::from_x) g[j][v] = relu_gradient(forward[v](value[j][v]), g[j][v]);
        if constexpr (mask == Mask::from_y) g[j][v] = relu_gradient(output[j][v], g[j][v]);
        value[j][v] = formula[v](value[j][v], g[j][v]);
      }
      store(dx + place(j), value[j]);
    }
  });
}

template <class T, int n, Mask mask, bool with_residual>
void backward(const BatchNormBackward& op, Scratch memory, Stream stream) {
  const Shape& shape = op.x.shape;
  const RowGrid cover = cover_rows(shape, n, kRowsOfThread);
  const int64_t blocks = cover.grid.x;
  ScratchCutter scratch(memory);
  const GradientSums sums{scratch.take_array<float>(blocks * shape.c),
                          scratch.take_array<float>(blocks * shape.c), scratch.take_array<float>(shape.c),
                          scratch.take_array<float>(shape.c)};
  const T *x = op.x.as<T>(), *y = mask == Mask::from_y ? op.y.as<T>() : nullptr, *dy = op.dy.as<T>();
  T* dresidual = op.dresidual.as_or_null<T>();
  const BatchNormVectors vectors{.gamma = op.gamma.as<float>(),
                                 .beta = op.beta.as_or_null<float>(),
                                 .mean = op.mean.as<float>(),
                                 .spread = op.inv_std.as<float>(),
                                 .eps = 0};

  launch(cover.launch("batch norm backward, sums", stream),
         batch_norm_backward_reduce<T, n, mask, with_residual>, cover.rows, cover.packs, x, y, dy, dresidual,
         vectors, sums);
  launch(finish_launch("batch norm backward, end of sums", shape.c, stream), batch_norm_backward_finish,
         cover.packs * n, static_cast<int>(blocks), sums, vectors.spread, op.dgamma.as<float>(),
         op.dbeta.as<float>(), op.frozen ? 0.0 : 1.0 / static_cast<double>(cover.rows));
  // Behind a residual the first kernel has left g itself.
  constexpr Mask left = with_residual ? Mask::none : mask;
  launch(cover_rows(shape, n, 4, kManyBlocks).launch("batch norm backward, apply", stream),
         batch_norm_backward_apply<T, n, left>, cover.rows, cover.packs, x, y, with_residual ? dresidual : dy,
         op.dx.as<T>(), vectors, sums);
}

}  // namespace

size_t scratch_bytes(const BatchNormBackward& op) {
  return most_over_packs(op.x.shape, kRowsOfThread, [&](int64_t blocks) {
    const size_t sums = bytes_of<float>(blocks * op.x.shape.c), means = bytes_of<float>(op.x.shape.c);
    return ScratchCutter::bytes_for({sums, sums, means, means});
  });
}

void run(const BatchNormBackward& op, Scratch scratch, Stream stream) {
  with_type(op.x.dtype, [&]<class T>() {
    with_pack<T>(op.x.shape, aligned(op.x, op.y, op.dy, op.dx, op.dresidual), [&]<int n>() {
      if (op.relu && op.beta && !op.dresidual)  // there is a beta only where there was no residual
        return backward<T, n, Mask::from_x, false>(op, scratch, stream);
      const auto go = [&]<Mask mask>() {
        op.dresidual ? backward<T, n, mask, true>(op, scratch, stream)
                     : backward<T, n, mask, false>(op, scratch, stream);
      };
      op.relu ? go.template operator()<Mask::from_y>() : go.template operator()<Mask::none>();
    });
  });
}

}  // namespace laban::cuda
