// Batch normalization with the statistics of the batch, in three kernels:
//
//   1. statistics: each block finds mean and squared deviations of its rows, per channel, in f32: batches of
//      four rows around their own mean, merged as Chan et al. do. Nothing cancels, however far the mean is
//      from zero.
//   2. finish: the blocks' results, merged in f64; the running statistics.
//   3. apply (batch_norm_apply.h).
#include "cuda/kernels/batch_norm_apply.h"
#include "cuda/kernels/reduce.h"
#include "math/moments.h"

namespace laban::cuda {
namespace {

/// What the blocks of the first kernel leave: [block] and [block][channel].
struct PartialMoments {
  float *count, *mean, *m2;
};

/// The moments of n channels that have seen the same rows, as values for reduce_block.
template <int n>
struct ChannelMoments {
  Floats<2 * n + 1> values;  // count, means, squared deviations

  __device__ float& count() { return values[0]; }
  __device__ float& mean(int v) { return values[1 + v]; }
  __device__ float& m2(int v) { return values[1 + n + v]; }
  __device__ Moments<float> channel(int v) { return {count(), mean(v), m2(v)}; }
};

template <int n>
struct MergeMoments {
  __device__ void operator()(Floats<2 * n + 1>& mine, const Floats<2 * n + 1>& other) const {
    ChannelMoments<n> a{mine}, b{other};
    for (int v = 0; v < n; ++v) {
      Moments<float> merged = a.channel(v);
      merged.merge(b.channel(v));
      mine[1 + v] = merged.mean;
      mine[1 + n + v] = merged.m2;
    }
    mine[0] += other[0];
  }
};

template <class T, int n>
__global__ void __launch_bounds__(kThreads, 3)
    batch_norm_statistics(int rows, int packs, const T* x, PartialMoments partial) {
  const int pack = my_pack();
  const int64_t channels = int64_t{packs} * n;
  ChannelMoments<n> moments{};
  if (pack < packs)
    for_each_batch<4>(rows, [&]<int batch>(Batch<batch> row) {
      Floats<n> values[batch];
      for (int j = 0; j < batch; ++j) values[j] = load<n>(x + row[j] * channels + pack * n);
      constexpr float more = batch;
      const float weight = more / (moments.count() + more), cross = moments.count() * weight;
      for (int v = 0; v < n; ++v) {
        float mean = 0, m2 = 0;
        for (int j = 0; j < batch; ++j) mean += values[j][v] * (1 / more);
        for (int j = 0; j < batch; ++j) m2 += (values[j][v] - mean) * (values[j][v] - mean);
        Moments<float> merged = moments.channel(v);
        merged.merge_weighted(mean, m2, weight, cross);
        moments.mean(v) = merged.mean;
        moments.m2(v) = merged.m2;
      }
      moments.count() += more;
    });
  reduce_block(moments.values, MergeMoments<n>());
  if (threadIdx.y != 0 || pack >= packs) return;
  if (pack == 0) partial.count[blockIdx.x] = moments.count();
  Floats<n> mean, m2;
  for (int v = 0; v < n; ++v) {
    mean[v] = moments.mean(v);
    m2[v] = moments.m2(v);
  }
  const int64_t place = blockIdx.x * channels + pack * n;
  store(partial.mean + place, mean);
  store(partial.m2 + place, m2);
}

/// Where the finished statistics go, and how.
struct Statistics {
  float *mean, *inv_std, *running_mean, *running_var;  // running_: may be null
  double momentum, eps;
};

__global__ void __launch_bounds__(kFinishWidth* kFinishHeight)
    batch_norm_finish(int rows, int channels, int blocks, PartialMoments partial, Statistics out) {
  const int c = finish_channel();
  const bool mine = c < channels;
  const auto place = [&](int block) { return int64_t{block} * channels + c; };
  // The mean of all first, then every block's deviation from it: sums whose terms are good to f64.
  const double count = rows;
  const double mean =
      total_of_partials(
          mine, blocks,
          [&](int b) { return static_cast<double>(partial.count[b]) * partial.mean[place(b)]; }) /
      count;
  const double variance =
      total_of_partials(mine, blocks,
                        [&](int b) {
                          const double difference = partial.mean[place(b)] - mean;
                          return partial.m2[place(b)] + partial.count[b] * difference * difference;
                        }) /
      count;

  if (!mine || threadIdx.y != 0) return;
  out.mean[c] = static_cast<float>(mean);
  out.inv_std[c] = static_cast<float>(inverse_std(variance, out.eps));
  if (!out.running_mean) return;
  const double unbiased = variance * unbiased_factor<double>(rows);
  out.running_mean[c] =
      static_cast<float>(running_statistic<double>(out.running_mean[c], mean, out.momentum));
  out.running_var[c] =
      static_cast<float>(running_statistic<double>(out.running_var[c], unbiased, out.momentum));
}

}  // namespace

size_t scratch_bytes(const BatchNormTrain& op) {
  return most_over_packs(op.x.shape, kRowsOfThread, [&](int64_t blocks) {
    const size_t vectors = bytes_of<float>(blocks * op.x.shape.c);
    return ScratchCutter::bytes_for({bytes_of<float>(blocks), vectors, vectors});
  });
}

void run(const BatchNormTrain& op, Scratch memory, Stream stream) {
  const Shape& shape = op.x.shape;
  with_type(op.x.dtype, [&]<class T>() {
    with_pack<T>(shape, aligned(op.x), [&]<int n>() {
      const RowGrid cover = cover_rows(shape, n, kRowsOfThread);
      const int64_t blocks = cover.grid.x;
      ScratchCutter scratch(memory);
      const PartialMoments partial{scratch.take_array<float>(blocks),
                                   scratch.take_array<float>(blocks * shape.c),
                                   scratch.take_array<float>(blocks * shape.c)};
      launch(cover.launch("batch norm, statistics", stream), batch_norm_statistics<T, n>, cover.rows,
             cover.packs, op.x.as<T>(), partial);
      launch(finish_launch("batch norm, end of statistics", shape.c, stream), batch_norm_finish, cover.rows,
             cover.packs * n, static_cast<int>(blocks), partial,
             Statistics{op.mean.as<float>(), op.inv_std.as<float>(), op.running_mean.as_or_null<float>(),
                        op.running_var.as_or_null<float>(), op.momentum, op.eps});
    });
  });
  apply_batch_norm<false>("batch norm, apply", op.x, op.residual, op.y, op.relu,
                          {op.gamma.as<float>(), op.beta.as<float>(), op.mean.as<float>(),
                           op.inv_std.as<float>(), static_cast<float>(op.eps)},
                          stream);
}

}  // namespace laban::cuda
