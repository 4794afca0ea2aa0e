// One float type to another, to nearest; and into a tensor with more channels, which become zero.
#include "cuda/kernels/map.h"
#include "cuda/kernels/rows.h"

namespace laban::cuda {
namespace {

struct Same {
  LABAN_HD float operator()(float x) const { return x; }
};

/// f64 takes part: only around gradient checks and tests, so one element a thread will do.
template <class To, class From>
__global__ void __launch_bounds__(kThreads) cast_doubles(int64_t count, To* to, const From* from) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= count) return;
  if constexpr (std::is_same_v<To, double>) {
    to[i] = static_cast<double>(widen(from[i]));
  } else {
    to[i] = narrow<To>(static_cast<float>(from[i]));
  }
}

/// A pack of n channels of `to`; `channels` are those of `from`, which are read one by one: the clip's three.
template <class To, class From, int n>
__global__ void __launch_bounds__(kThreads)
    cast_padding(int rows, int packs, To* to, const From* from, int channels) {
  const int pack = my_pack();
  if (pack >= packs) return;
  for_each_batch<4>(rows, [&]<int batch>(Batch<batch> row) {
    Floats<n> values[batch];
    for (int j = 0; j < batch; ++j)
      for (int v = 0; v < n; ++v) {
        const int c = pack * n + v;
        values[j][v] = c < channels ? widen(from[row[j] * channels + c]) : 0.0f;
      }
    for (int j = 0; j < batch; ++j) store(to + (row[j] * packs + pack) * n, values[j]);
  });
}

template <class To, class From>
void cast(const Cast& op, Stream stream) {
  constexpr bool doubles = std::is_same_v<To, double> || std::is_same_v<From, double>;
  const bool pads = op.to.shape.c != op.from.shape.c;
  if constexpr (std::is_same_v<To, From>) {
    if (!pads) return copy(op.to.data, op.from.data, op.to.bytes(), stream);
  }
  if constexpr (std::is_same_v<To, double> && std::is_same_v<From, double>) {
    require(false, "CUDA kernels: a cast of f64 does not pad channels");
  } else if constexpr (doubles) {
    require(!pads, "CUDA kernels: a cast of f64 does not pad channels");
    const Launch at{.kernel = "cast of doubles",
                    .shape = op.to.shape,
                    .grid = {narrow_extent(ceil_div(op.to.count(), kThreads)), 1, 1},
                    .block = {kThreads, 1, 1},
                    .stream = stream};
    launch(at, cast_doubles<To, From>, op.to.count(), op.to.as<To>(), op.from.as<From>());
  } else if (pads) {
    with_pack<To>(op.to.shape, aligned(op.to), [&]<int n>() {
      const RowGrid cover = cover_rows(op.to.shape, n, 4, kManyBlocks);
      launch(cover.launch("cast, padding channels", stream), cast_padding<To, From, n>, cover.rows,
             cover.packs, op.to.as<To>(), op.from.as<From>(), static_cast<int>(op.from.shape.c));
    });
  } else {
    map<To, From>("cast", Same{}, op.to, op.from, stream);
  }
}

template <class Body>
void with_float_type(DType dtype, Body&& body) {
  if (dtype == DType::f64) return body.template operator()<double>();
  with_type(dtype, body);
}

}  // namespace

void run(const Cast& op, Stream stream) {
  with_float_type(op.from.dtype, [&]<class From>() {
    with_float_type(op.to.dtype, [&]<class To>() { cast<To, From>(op, stream); });
  });
}

}  // namespace laban::cuda
