// Dropout, the same op forward and backward. A thread has four elements: those of one block of random words.
#include "cuda/kernels/device.h"
#include "math/dropout.h"

namespace laban::cuda {
namespace {

/// `step`: null where the stream does not depend on it.
template <class T>
__global__ void __launch_bounds__(kThreads)
    dropout_groups(int64_t count, const T* x, T* y, double p, uint64_t seed, uint64_t stream,
                   const int64_t* step) {
  const int64_t group = int64_t{blockIdx.x} * kThreads + threadIdx.x, first = 4 * group;
  if (first >= count) return;
  if (step) stream = dropout_stream(seed, stream, static_cast<uint64_t>(*step));
  const PhiloxBlock words = dropout_words(group, seed, stream);
  for (int j = 0; j < 4 && first + j < count; ++j)
    y[first + j] = narrow<T>(dropout(widen(x[first + j]), words[j], p));
}

}  // namespace

void run(const Dropout& op, Stream stream) {
  with_type(op.x.dtype, [&]<class T>() {
    const Launch at{.kernel = "dropout",
                    .shape = op.x.shape,
                    .grid = {narrow_extent(ceil_div(op.x.count(), 4 * kThreads)), 1, 1},
                    .block = {kThreads, 1, 1},
                    .stream = stream};
    launch(at, dropout_groups<T>, op.x.count(), op.x.as<T>(), op.y.as<T>(), op.p, op.seed, op.stream,
           op.step.as_or_null<int64_t>());
  });
}

}  // namespace laban::cuda
