// Batch normalisation with the statistics of the batch, in three kernels:
//
//   1. statistics: each block finds mean and squared deviations of its rows, per channel, in f32: batches of
//      four rows around their own mean, merged as Chan et al. do. Nothing cancels, however far the mean is
//      from zero.
//   2. finish: the blocks' results, merged in f64; the running statistics.
//   3. apply (batch_norm_apply.h).
#include "cuda/kernels/batch_norm_apply.h"
#include "cuda/kernels/column_total.h"
#include "math/moments.h"

namespace laban::cuda {
namespace {

/// What the blocks of the first kernel leave: [block] and [block][channel].
struct PartialMoments {
  float *count, *mean, *m2;
};

template <int n>
struct StatisticsShared {
  Array<float, kThreads> count;
  Array<Array<float, kThreads>, n> mean, m2;
};

/// Merges the block's moments down its columns; the result is in the threads of row 0.
template <int n>
__device__ void merge_columns(Moments<float> (&moments)[n]) {
  auto& shared = block_shared<StatisticsShared<n>>();
  const int height = static_cast<int>(blockDim.y), width = static_cast<int>(blockDim.x);
  const int y = static_cast<int>(threadIdx.y), me = y * width + static_cast<int>(threadIdx.x);
  const auto publish = [&] {
    shared.count[me] = moments[0].count;
    for (int v = 0; v < n; ++v) {
      shared.mean[v][me] = moments[v].mean;
      shared.m2[v][me] = moments[v].m2;
    }
  };
  publish();
  for (int live = height; live > 1;) {
    const int half = (live + 1) / 2;
    __syncthreads();
    if (y + half < live) {
      const int other = me + half * width;
      for (int v = 0; v < n; ++v)
        moments[v].merge({shared.count[other], shared.mean[v][other], shared.m2[v][other]});
      publish();
    }
    live = half;
  }
}

template <class T, int n>
__global__ void __launch_bounds__(kThreads, 4)
    batch_norm_statistics(int rows, int packs, const T* x, PartialMoments partial) {
  const int pack = my_pack();
  const int64_t channels = int64_t{packs} * n;
  Moments<float> moments[n];
  if (pack < packs) {
    float count = 0;  // rows so far, the same for all channels of this thread
    for_each_batch<4>(rows, [&]<int batch>(Batch<batch> row) {
      Floats<n> values[batch];
      for (int j = 0; j < batch; ++j) values[j] = load<n>(x + row[j] * channels + pack * n);
      constexpr float more = batch;
      const float weight = more / (count + more), cross = count * weight;
      for (int v = 0; v < n; ++v) {
        float mean = 0, m2 = 0;
        for (int j = 0; j < batch; ++j) mean += values[j][v] * (1 / more);
        for (int j = 0; j < batch; ++j) m2 += (values[j][v] - mean) * (values[j][v] - mean);
        moments[v].merge_weighted(mean, m2, weight, cross);
      }
      count += more;
    });
    for (Moments<float>& m : moments) m.count = count;
  }
  merge_columns(moments);
  if (threadIdx.y != 0 || pack >= packs) return;
  if (pack == 0) partial.count[blockIdx.x] = moments[0].count;
  Floats<n> mean, m2;
  for (int v = 0; v < n; ++v) {
    mean[v] = moments[v].mean;
    m2[v] = moments[v].m2;
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
  auto& shared = block_shared<FinishShared>();
  const int c = static_cast<int>(blockIdx.x) * kFinishWidth + static_cast<int>(threadIdx.x);
  const bool mine = c < channels;
  const auto place = [&](int block) { return int64_t{block} * channels + c; };

  // The mean of all first, then every block's deviation from it: sums of which each term is good to f64.
  double sum = 0, m2 = 0;
  if (mine)
    for (int b = static_cast<int>(threadIdx.y); b < blocks; b += kFinishHeight)
      sum += static_cast<double>(partial.count[b]) * partial.mean[place(b)];
  const double count = static_cast<double>(rows), mean = column_total(shared, sum) / count;
  if (mine)
    for (int b = static_cast<int>(threadIdx.y); b < blocks; b += kFinishHeight) {
      const double difference = partial.mean[place(b)] - mean;
      m2 += partial.m2[place(b)] + partial.count[b] * difference * difference;
    }
  const double variance = column_total(shared, m2) / count;

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

/// Rows that make the merging at the end worth a thread's while.
constexpr int64_t kRowsOfThread = 16;

template <class T>
int pack_of(const BatchNormTrain& op) {
  return op.x.shape.c % kPack<T> == 0 && aligned(op.x) ? kPack<T> : 1;
}
RowGrid cover_of(const BatchNormTrain& op, int pack) {
  return cover_rows(op.x.shape.pixels(), op.x.shape.c / pack, kRowsOfThread);
}

}  // namespace

size_t scratch_bytes(const BatchNormTrain& op) {
  // For the pack that has more blocks: known without addresses, which a dry run does not have.
  size_t most = 0;
  for (const int64_t pack : {1, 4, 8}) {
    if (op.x.shape.c % pack != 0) continue;
    const int64_t blocks = cover_of(op, static_cast<int>(pack)).grid.x;
    most = std::max(most, ScratchCutter::bytes_for<float>(blocks) +
                              2 * ScratchCutter::bytes_for<float>(blocks * op.x.shape.c));
  }
  return most;
}

void run(const BatchNormTrain& op, Scratch memory, Stream stream) {
  const Shape& shape = op.x.shape;
  const int64_t channels = shape.c;
  with_type(op.x.dtype, [&]<class T>() {
    const int pack = pack_of<T>(op);
    const RowGrid cover = cover_of(op, pack);
    const int64_t blocks = cover.grid.x;
    ScratchCutter scratch(memory);
    const PartialMoments partial{scratch.take<float>(blocks), scratch.take<float>(blocks * channels),
                                 scratch.take<float>(blocks * channels)};
    launch({.kernel = "batch norm, statistics",
            .shape = shape,
            .grid = cover.grid,
            .block = cover.block,
            .stream = stream},
           pack == 1 ? batch_norm_statistics<T, 1> : batch_norm_statistics<T, kPack<T>>, cover.rows,
           cover.packs, op.x.as<T>(), partial);
    launch(finish_launch("batch norm, end of statistics", channels, stream), batch_norm_finish, cover.rows,
           static_cast<int>(channels), static_cast<int>(blocks), partial,
           Statistics{op.mean.as<float>(), op.inv_std.as<float>(), optional<float>(op.running_mean),
                      optional<float>(op.running_var), op.momentum, op.eps});
  });
  apply_batch_norm<false>("batch norm, apply", op.x, op.residual, op.y, op.relu,
                          {op.gamma.as<float>(), op.beta.as<float>(), op.mean.as<float>(),
                           op.inv_std.as<float>(), static_cast<float>(op.eps)},
                          stream);
}

}  // namespace laban::cuda
