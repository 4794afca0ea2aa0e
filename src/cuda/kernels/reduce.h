// Sums and their like over the places of a tensor, for each channel, in two stages: every block reduces its
// rows and leaves a partial result per channel (reduce_block); a second kernel reduces those of all blocks
// (finish_launch, total_of_partials). Both add in an order that depends on the shape alone.
#pragma once

#include "cuda/kernels/rows.h"

namespace laban::cuda {

/// Rows that make a thread's part of the second stage worth its while.
constexpr int kRowsOfThread = 16;

/// Reduces k values of each thread down the block's columns: merge(mine, other) takes another thread's values
/// in. The result is with the threads of row 0. All threads of a block of rows.h must call it,
/// once.
template <int k, class Merge>
__device__ void reduce_block(Floats<k>& mine, Merge&& merge) {
  auto& shared = block_shared<Array<Array<float, kThreads>, k>>();
  const int width = static_cast<int>(blockDim.x), y = static_cast<int>(threadIdx.y);
  const int me = y * width + static_cast<int>(threadIdx.x);
  for (int i = 0; i < k; ++i) shared[i][me] = mine[i];
  for (int live = static_cast<int>(blockDim.y); live > 1;) {
    const int half = (live + 1) / 2;  // rows 0 .. live-half-1 take in rows half .. live-1
    __syncthreads();
    if (y + half < live) {
      Floats<k> other;
      for (int i = 0; i < k; ++i) other[i] = shared[i][me + half * width];
      merge(mine, other);
      for (int i = 0; i < k; ++i) shared[i][me] = mine[i];
    }
    live = half;
  }
}

/// The merge of sums.
struct AddAll {
  template <int k>
  __device__ void operator()(Floats<k>& mine, const Floats<k>& other) const {
    for (int i = 0; i < k; ++i) mine[i] += other[i];
  }
};

// ---- the second stage: blocks of 8 channels, so that a warp reads whole sectors of 32 bytes, by 64 rows.
// Few channels and many partial results are the usual case, and what counts then is how many loads are on
// their way.

constexpr int kFinishWidth = 8, kFinishHeight = 64, kFinishAhead = 4;

inline Launch finish_launch(std::string_view kernel, int64_t channels, Stream stream) {
  return {.kernel = kernel,
          .shape = Shape::vector(channels),
          .grid = {narrow_extent(ceil_div(channels, kFinishWidth)), 1, 1},
          .block = {kFinishWidth, kFinishHeight, 1},
          .stream = stream};
}

/// The channel of this thread; channels beyond the last one are nobody's, but their threads must go along.
__device__ inline int finish_channel() {
  return static_cast<int>(blockIdx.x) * kFinishWidth + static_cast<int>(threadIdx.x);
}

/// sum over all blocks b of term(b), in f64, for every thread of the column; 0 where there is no channel. The
/// whole block must call it.
template <class Term>
__device__ double total_of_partials(bool has_channel, int blocks, Term&& term) {
  auto& shared = block_shared<Array<Array<double, kFinishWidth>, kFinishHeight>>();
  const int x = static_cast<int>(threadIdx.x), y = static_cast<int>(threadIdx.y);
  double sum = 0;
  if (has_channel)
    for (int b = y; b < blocks; b += kFinishAhead * kFinishHeight) {
      double terms[kFinishAhead];  // loaded together, added one after another
      for (int k = 0; k < kFinishAhead; ++k) {
        const int at = b + k * kFinishHeight;
        terms[k] = at < blocks ? term(at) : 0;
      }
      for (const double value : terms) sum += value;
    }
  shared[y][x] = sum;
  for (int half = kFinishHeight / 2; half > 0; half /= 2) {
    __syncthreads();
    if (y < half) shared[y][x] += shared[y + half][x];
  }
  __syncthreads();
  const double total = shared[0][x];
  __syncthreads();  // before the next call writes
  return total;
}

}  // namespace laban::cuda
