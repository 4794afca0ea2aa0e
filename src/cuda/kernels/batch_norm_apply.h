// y = relu?(gamma * (x - mean) * inv_std + beta + residual?), the pass that training and evaluation share.
// docs/kernel-ladder.md climbs to this kernel from the naive one.
#pragma once

#include "cuda/kernels/rows.h"
#include "math/activation.h"
#include "math/batch_norm.h"

namespace laban::cuda {

/// Vectors of a value per channel. `spread` is inv_std in training, the running variance in evaluation.
struct BatchNormVectors {
  const float *gamma, *beta, *mean, *spread;
  float eps;

  template <bool spread_is_variance>
  __device__ BatchNormAffine<float> channel(int c) const {
    const float inv_std = spread_is_variance ? inverse_std(spread[c], eps) : spread[c];
    return {mean[c], gamma[c] * inv_std, beta[c]};
  }
};

/// Rows go from the last to the first: after the statistics' walk from the first to the last, the end of x is
/// what the L2 cache still holds.
template <class T, int n, bool spread_is_variance, bool with_residual, bool with_relu>
__global__ void __launch_bounds__(kThreads, 4)
    batch_norm_apply(int rows, int packs, const T* x, const T* residual, T* y, BatchNormVectors vectors) {
  const int pack = my_pack();
  if (pack >= packs) return;
  BatchNormAffine<float> affine[n];
  for (int v = 0; v < n; ++v) affine[v] = vectors.channel<spread_is_variance>(pack * n + v);

  const int64_t channels = int64_t{packs} * n;
  for_each_batch<with_residual ? 2 : 4>(rows, [&]<int batch>(Batch<batch> row) {
    const auto place = [&](int j) { return (rows - 1 - row[j]) * channels + pack * n; };
    Floats<n> values[batch];
    [[maybe_unused]] Floats<n> added[batch];
    for (int j = 0; j < batch; ++j) {
      values[j] = load<n>(x + place(j));
      if constexpr (with_residual) added[j] = load<n>(residual + place(j));
    }
    for (int j = 0; j < batch; ++j) {
      for (int v = 0; v < n; ++v) {
        float z = affine[v](values[j][v]);
        if constexpr (with_residual) z += added[j][v];
        values[j][v] = with_relu ? relu(z) : z;
      }
      store(y + place(j), values[j]);
    }
  });
}

/// Host function.
template <bool spread_is_variance>
void apply_batch_norm(std::string_view kernel, const Tensor& x, const Tensor& residual, const Tensor& y,
                      bool with_relu, const BatchNormVectors& vectors, Stream stream) {
  with_type(x.dtype, [&]<class T>() {
    with_pack<T>(x.shape, aligned(x, residual, y), [&]<int n>() {
      const auto go = [&]<bool residual_, bool relu_>() {
        const RowGrid cover = cover_rows(x.shape, n, 4, kManyBlocks);
        launch(cover.launch(kernel, stream), batch_norm_apply<T, n, spread_is_variance, residual_, relu_>,
               cover.rows, cover.packs, x.as<T>(), residual.as_or_null<T>(), y.as<T>(), vectors);
      };
      if (residual)
        with_relu ? go.template operator()<true, true>() : go.template operator()<true, false>();
      else
        with_relu ? go.template operator()<false, true>() : go.template operator()<false, false>();
    });
  });
}

}  // namespace laban::cuda
