// The end of a two-stage sum: partial results of many blocks, for each channel, become one.
#pragma once

#include "cuda/kernels/device.h"

namespace laban::cuda {

/// The block of such a kernel: 16 channels wide, so that a warp reads whole sectors, and 32 high.
constexpr int kFinishWidth = 16, kFinishHeight = 32;

using FinishShared = Array<Array<double, kFinishWidth>, kFinishHeight>;

inline Launch finish_launch(std::string_view kernel, int64_t channels, Stream stream) {
  return {.kernel = kernel,
          .shape = Shape::vector(channels),
          .grid = {narrow_extent(ceil_div(channels, kFinishWidth)), 1, 1},
          .block = {kFinishWidth, kFinishHeight, 1},
          .stream = stream};
}

/// The sum of `value` over the block's column, for every thread of the column, always in the same order. The
/// whole block must call it.
__device__ inline double column_total(FinishShared& shared, double value) {
  const int x = static_cast<int>(threadIdx.x), y = static_cast<int>(threadIdx.y);
  shared[y][x] = value;
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
