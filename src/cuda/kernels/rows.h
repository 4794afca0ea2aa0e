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

/// Blocks of a kernel that walks over rows, at most: three for each multiprocessor of an H100 or H200, where
/// they all run at once. A constant, and no question to the GPU, because what a reduction adds up first
/// depends on it.
constexpr int64_t kMostBlocks = 396;
/// The same for kernels that add nothing up: several times as many as run at once, so that no multiprocessor
/// is idle for long while others finish.
constexpr int64_t kManyBlocks = 4 * kMostBlocks;

struct RowGrid {
  Shape shape;
  int rows = 0;
  int packs = 0;  // in a row
  dim3 grid, block;

  Launch launch(std::string_view kernel, Stream stream) const {
    return {.kernel = kernel, .shape = shape, .grid = grid, .block = block, .stream = stream};
  }
};

/// For packs of n channels; n must divide the channels. `rows_of_thread`: how many rows are worth a thread,
/// where there are few.
inline RowGrid cover_rows(const Shape& shape, int n, int rows_of_thread, int64_t most_blocks = kMostBlocks) {
  const int64_t rows = shape.pixels(), packs = shape.c / n;
  const int64_t strips = ceil_div(packs, kThreads);
  const int64_t width = ceil_div(packs, strips), height = kThreads / width;
  const int64_t blocks = std::clamp<int64_t>(ceil_div(rows, height * rows_of_thread), 1,
                                             std::max<int64_t>(1, most_blocks / strips));
  // Rows are counted in 32 bits, with space to step beyond the last one; elements never are.
  require(rows < int64_t{1} << 30, "CUDA kernels: 2^30 places or more in one tensor");
  return {.shape = shape,
          .rows = static_cast<int>(rows),
          .packs = static_cast<int>(packs),
          .grid = {narrow_extent(blocks), narrow_extent(strips), 1},
          .block = {narrow_extent(width), narrow_extent(height), 1}};
}

/// Calls body.operator()<n>() with the number of channels to move at a time: 16 bytes of them where they
/// divide a row and all addresses are multiples of 16, else one.
template <class T, class Body>
void with_pack(const Shape& shape, bool are_aligned, Body&& body) {
  if (shape.c % kPack<T> == 0 && are_aligned)
    body.template operator()<kPack<T>>();
  else
    body.template operator()<1>();
}

/// The most that bytes_for(blocks) comes to for any pack that with_pack may choose: scratch is asked for in a
/// dry run, where addresses are not known.
template <class BytesFor>
size_t most_over_packs(const Shape& shape, int rows_of_thread, BytesFor&& bytes_for) {
  size_t most = 0;
  for (const int n : {1, kPack<float>, kPack<BFloat16>})
    if (shape.c % n == 0)
      most = std::max(most, bytes_for(int64_t{cover_rows(shape, n, rows_of_thread).grid.x}));
  return most;
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
/// turns, so that all of them work on neighboring memory at any time.
template <int most, class Body>
__device__ void for_each_batch(int rows, Body&& body) {
  const int height = static_cast<int>(blockDim.y), turn = most * height * static_cast<int>(gridDim.x);
  int row = most * height * static_cast<int>(blockIdx.x) + static_cast<int>(threadIdx.y);
  for (; row + (most - 1) * height < rows; row += turn) body(Batch<most>{row});
  for (; row < rows; row += height) body(Batch<1>{row});
}

}  // namespace laban::cuda
