// How threads cover a tensor in NDHWC when each needs to know its channels: the tensor is a matrix whose rows
// are places and whose columns are channels, in packs of n.
//
// A block is blockDim.x packs wide and blockDim.y rows high. A thread keeps its column of packs for all of
// its life, so the constants of its channels stay in registers and nothing is divided; the block's rows lie
// side by side in memory, so its accesses are contiguous whatever the number of channels. Where a row is
// wider than a block, blockIdx.y tells the strips apart.
#pragma once

#include <algorithm>

#include "cuda/kernels/device.h"

namespace laban::cuda {

/// Blocks of a kernel that walks over rows, at most: four for each multiprocessor of an H100 or H200. A
/// constant, and no question to the card, because what a reduction adds up first depends on it.
constexpr int64_t kMostBlocks = 528;

struct RowGrid {
  int rows = 0;
  int packs = 0;  // in a row
  dim3 grid, block;
};

/// `rows_of_thread`: how many rows are worth a thread, where there are few.
inline RowGrid cover_rows(int64_t rows, int64_t packs, int64_t rows_of_thread) {
  const int64_t strips = ceil_div(packs, kThreads);
  const int64_t width = ceil_div(packs, strips), height = kThreads / width;
  const int64_t blocks = std::clamp<int64_t>(ceil_div(rows, height * rows_of_thread), 1,
                                             std::max<int64_t>(1, kMostBlocks / strips));
  // Rows are counted in 32 bits, with room to step beyond the last one; elements never are.
  require(rows < int64_t{1} << 30, "CUDA kernels: 2^30 places or more in one tensor");
  RowGrid result;
  result.rows = static_cast<int>(rows);
  result.packs = static_cast<int>(packs);
  result.grid = dim3{narrow_extent(blocks), narrow_extent(strips), 1};
  result.block = dim3{narrow_extent(width), narrow_extent(height), 1};
  return result;
}

/// This thread's pack in every row. Threads at the end of the last strip may have none: pack >= packs. They
/// do nothing, but must come to every barrier.
__device__ inline int my_pack() { return static_cast<int>(blockIdx.y * blockDim.x + threadIdx.x); }

/// `count` rows of this thread: every blockDim.y-th from `first` on.
template <int count>
struct Batch {
  int first;

  __device__ int64_t operator[](int j) const { return first + j * static_cast<int>(blockDim.y); }
};

/// All rows of this thread, several at a time: body(Batch<most>), at the end body(Batch<1>). Blocks take
/// turns, so that all of them work on neighbouring memory at any time.
template <int most, class Body>
__device__ void for_each_batch(int rows, Body&& body) {
  const int height = static_cast<int>(blockDim.y), turn = most * height * static_cast<int>(gridDim.x);
  int row = most * height * static_cast<int>(blockIdx.x) + static_cast<int>(threadIdx.y);
  for (; row + (most - 1) * height < rows; row += turn) body(Batch<most>{row});
  for (; row < rows; row += height) body(Batch<1>{row});
}

}  // namespace laban::cuda
