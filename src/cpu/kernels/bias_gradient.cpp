// The gradient of a bias: the sums of dy over its places.
#include <algorithm>

#include "cpu/kernels/ops.h"
#include "cpu/kernels/vectors.h"

namespace laban::cpu::LABAN_ISA {
namespace {

/// Places of a tile at least, and tiles at most: their sums are added up in their order.
constexpr int64_t kPlaces = 256, kMaxTiles = 64;

int64_t tiles_of(const Tensor& dy) { return std::clamp<int64_t>(dy.shape.pixels() / kPlaces, 1, kMaxTiles); }

}  // namespace

size_t bias_gradient_scratch(const Tensor& dy) {
  return ScratchCutter::bytes_for({bytes_of<double>(dy.shape.c * tiles_of(dy))});
}

void add_bias_gradient(const Tensor& dy, const Tensor& dbias, Scratch scratch, ThreadPool& pool) {
  const int64_t channels = dy.shape.c, places = dy.shape.pixels(), tiles = tiles_of(dy);
  double* sums = ScratchCutter(scratch).take_array<double>(channels * tiles);
  with_type(dy.dtype, [&]<class T>() {
    const T* data = dy.as<T>();
    pool.for_each_tile(tiles, [&](int64_t tile, int) {
      double* sum = sums + channels * tile;
      std::fill_n(sum, channels, 0.0);
      for (int64_t p = places * tile / tiles; p < places * (tile + 1) / tiles; ++p)
        for (int64_t c = 0; c < channels; ++c) sum[c] += static_cast<double>(widen(data[p * channels + c]));
    });
  });
  float* out = dbias.as<float>();
  for (int64_t c = 0; c < channels; ++c) {
    double sum = static_cast<double>(out[c]);
    for (int64_t tile = 0; tile < tiles; ++tile) sum += sums[channels * tile + c];
    out[c] = static_cast<float>(sum);
  }
}

}  // namespace laban::cpu::LABAN_ISA
