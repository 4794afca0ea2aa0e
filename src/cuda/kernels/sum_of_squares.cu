// The sum of squares of a flat tensor, for clipping by the global norm and for noticing a gradient that is
// not finite. In f64 throughout: squares of floats neither round nor overflow there, and memory is what the
// kernel waits for all the same.
#include "cuda/kernels/map.h"
#include "cuda/kernels/rows.h"

namespace laban::cuda {
namespace {

constexpr int kWarps = kThreads / kWarp;

/// The sum of `value` over the block, for thread 0.
__device__ double block_total(double value) {
  auto& of_warp = block_shared<Array<double, kWarps>>();
  const int thread = static_cast<int>(threadIdx.x);
  for (unsigned delta = kWarp / 2; delta > 0; delta /= 2) value += __shfl_down_sync(kFullWarp, value, delta);
  if (thread % kWarp == 0) of_warp[thread / kWarp] = value;
  __syncthreads();
  double total = 0;
  if (thread == 0)
    for (int warp = 0; warp < kWarps; ++warp) total += of_warp[warp];
  return total;
}

template <class T, int n>
__global__ void __launch_bounds__(kThreads) squares(int64_t count, const T* x, double* partial) {
  const int64_t stride = int64_t{gridDim.x} * kThreads * n;
  int64_t i = (int64_t{blockIdx.x} * kThreads + threadIdx.x) * n;
  double sum = 0;
  const auto take = [&](float value) { sum += static_cast<double>(value) * value; };
  for (; i + 3 * stride + n <= count; i += 4 * stride) {
    Floats<n> values[4];
    for (int k = 0; k < 4; ++k) values[k] = load<n>(x + i + k * stride);
    for (int k = 0; k < 4; ++k)
      for (int v = 0; v < n; ++v) take(values[k][v]);
  }
  for (; i < count; i += stride)
    for (int v = 0; v < n && i + v < count; ++v) take(widen(x[i + v]));
  sum = block_total(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

/// One block.
__global__ void __launch_bounds__(kThreads)
    squares_finish(int blocks, const double* partial, double* result) {
  double sum = 0;
  for (int b = static_cast<int>(threadIdx.x); b < blocks; b += kThreads) sum += partial[b];
  sum = block_total(sum);
  if (threadIdx.x == 0) *result = sum;
}

int64_t blocks_for(int64_t count) {
  return std::clamp<int64_t>(ceil_div(count, 16 * kThreads), 1, kMostBlocks);
}

}  // namespace

size_t scratch_bytes(const SumOfSquares& op) {
  return ScratchCutter::bytes_for({bytes_of<double>(blocks_for(op.x.count()))});
}

void run(const SumOfSquares& op, Scratch memory, Stream stream) {
  const int64_t blocks = blocks_for(op.x.count());
  double* partial = ScratchCutter(memory).take_array<double>(blocks);
  Launch at{.kernel = "sum of squares",
            .shape = op.x.shape,
            .grid = {narrow_extent(blocks), 1, 1},
            .block = {kThreads, 1, 1},
            .stream = stream};
  with_type(op.x.dtype, [&]<class T>() {
    launch(at, aligned(op.x) ? squares<T, kPack<T>> : squares<T, 1>, op.x.count(), op.x.as<T>(), partial);
  });
  at.kernel = "end of sum of squares";
  at.grid.x = 1;
  launch(at, squares_finish, static_cast<int>(blocks), partial, op.result.as<double>());
}

}  // namespace laban::cuda
