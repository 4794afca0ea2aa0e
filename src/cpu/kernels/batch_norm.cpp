// Batch normalization, fused with the residual add and the ReLU that follow it. Formulas: math/batch_norm.h.
//
// Memory is what these ops wait for, so the tensors are walked as few times as can be: twice in training
// (statistics, then y), once in evaluation, twice in backward (sums, then dx).
//
// Precision of a single pass for mean and variance: sums of x and x*x in double. The product of two floats is
// exact in double, so var = E[x^2] - E[x]^2 loses only about 1e-16 * mean^2/var: right to float precision
// until |mean| is ten thousand standard deviations, and cheaper than a second walk or Welford's divisions.
//
// Rows (all channels of one place) are taken four at a time, which quarters the traffic to the accumulators.
// Each tile of rows has its own accumulators, which are added up in the order of the tiles.
#include "math/batch_norm.h"

#include "cpu/elements.h"
#include "cpu/kernels/ops.h"
#include "cpu/tiles.h"
#include "math/activation.h"

namespace laban::cpu::LABAN_ISA {
namespace {

constexpr int64_t kRows = 4;

/// How the rows (all channels of one place) are cut: some 100 KB of floats to a tile, and so many rows that
/// the tile's sums are small beside them; at most 256 tiles, whose sums are added one after the other.
Tiles batch_norm_tiles(const Shape& shape) {
  const int64_t pixels = shape.pixels();
  return {pixels, std::max<int64_t>({pixels / 256 + 1, 32768 / shape.c, 48})};
}

/// For each tile, sums of two quantities per channel.
class PairSums {
 public:
  PairSums(ScratchCutter& scratch, int64_t tiles, int64_t channels)
      : tiles_(tiles), channels_(channels), sums_(scratch.take_array<double>(2 * channels * tiles)) {}

  double* first(int64_t tile) const { return sums_ + 2 * channels_ * tile; }
  double* second(int64_t tile) const { return first(tile) + channels_; }
  void clear(int64_t tile) const { std::fill(first(tile), first(tile) + 2 * channels_, 0.0); }
  /// Adds all tiles up into the first.
  void combine() const {
    for (int64_t tile = 1; tile < tiles_; ++tile)
      for (int64_t i = 0; i < 2 * channels_; ++i) sums_[i] += first(tile)[i];
  }

 private:
  int64_t tiles_, channels_;
  double* sums_;
};

/// sum += x, squares += x*x over `rows` rows (a constant, 1 or kRows) from x on.
template <int64_t rows, class T>
void add_moments(const T* x, int64_t channels, double* sum, double* squares) {
#pragma omp simd
  for (int64_t c = 0; c < channels; ++c) {
    double s = 0, q = 0;
    for (int64_t r = 0; r < rows; ++r) {
      const double value = widen(x[r * channels + c]);
      s += value;
      q += value * value;
    }
    sum[c] += s;
    squares[c] += q;
  }
}

/// y = relu?(affine(x) + residual?), one instance for each of the four cases.
template <bool with_residual, bool with_relu, class T>
void normalize_rows(const T* x, const T* residual, T* y, int64_t begin, int64_t end, int64_t channels,
                    const float* mean, const float* scale, const float* beta) {
  for (int64_t p = begin; p < end; ++p) {
    const int64_t row = p * channels;
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) {
      float z = BatchNormAffine<float>{mean[c], scale[c], beta[c]}(widen(x[row + c]));
      if constexpr (with_residual) z += widen(residual[row + c]);
      y[row + c] = narrow<T>(with_relu ? relu(z) : z);
    }
  }
}

template <class T>
void normalize(const Tensor& xt, const Tensor& rt, const Tensor& yt, bool with_relu, ThreadPool& pool,
               const float* mean, const float* scale, const float* beta) {
  const T *x = xt.as<T>(), *residual = rt.as_or_null<T>();
  T* y = yt.as<T>();
  const int64_t channels = xt.shape.c;
  const Tiles rows = batch_norm_tiles(xt.shape);
  pool.for_each_tile(rows.tiles(), [&](int64_t tile, int) {
    const auto go = [&]<bool residual_, bool relu_>() {
      normalize_rows<residual_, relu_>(x, residual, y, rows.begin(tile), rows.end(tile), channels, mean,
                                       scale, beta);
    };
    if (residual)
      with_relu ? go.template operator()<true, true>() : go.template operator()<true, false>();
    else
      with_relu ? go.template operator()<false, true>() : go.template operator()<false, false>();
  });
}

template <class T>
void train(const BatchNormTrain& op, Scratch memory, ThreadPool& pool) {
  const int64_t channels = op.x.shape.c, pixels = op.x.shape.pixels();
  ScratchCutter scratch(memory);
  const Tiles rows = batch_norm_tiles(op.x.shape);
  const PairSums sums(scratch, rows.tiles(), channels);
  float* scale = scratch.take_array<float>(channels);

  const T* x = op.x.as<T>();
  pool.for_each_tile(rows.tiles(), [&](int64_t tile, int) {
    double *sum = sums.first(tile), *squares = sums.second(tile);
    sums.clear(tile);
    const int64_t end = rows.end(tile);
    int64_t p = rows.begin(tile);
    for (; p + kRows <= end; p += kRows) add_moments<kRows>(x + p * channels, channels, sum, squares);
    for (; p < end; ++p) add_moments<1>(x + p * channels, channels, sum, squares);
  });
  sums.combine();

  const double count = static_cast<double>(pixels), unbiased = unbiased_factor<double>(pixels);
  const float *gamma = op.gamma.as<float>(), *beta = op.beta.as<float>();
  float *mean = op.mean.as<float>(), *inv_std = op.inv_std.as<float>();
  float *running_mean = op.running_mean.as_or_null<float>(),
        *running_var = op.running_var.as_or_null<float>();
  for (int64_t c = 0; c < channels; ++c) {
    const double m = sums.first(0)[c] / count;
    const double variance = std::max(0.0, sums.second(0)[c] / count - m * m);
    mean[c] = static_cast<float>(m);
    inv_std[c] = static_cast<float>(inverse_std(variance, op.eps));
    scale[c] = gamma[c] * inv_std[c];
    if (!running_mean) continue;
    running_mean[c] = static_cast<float>(running_statistic<double>(running_mean[c], m, op.momentum));
    running_var[c] =
        static_cast<float>(running_statistic<double>(running_var[c], variance * unbiased, op.momentum));
  }
  normalize<T>(op.x, op.residual, op.y, op.relu, pool, mean, scale, beta);
}

template <class T>
void infer(const BatchNormInfer& op, Scratch memory, ThreadPool& pool) {
  const int64_t channels = op.x.shape.c;
  float* scale = ScratchCutter(memory).take_array<float>(channels);
  const float *gamma = op.gamma.as<float>(), *variance = op.running_var.as<float>();
  for (int64_t c = 0; c < channels; ++c)
    scale[c] = static_cast<float>(gamma[c] * inverse_std<double>(variance[c], op.eps));
  normalize<T>(op.x, op.residual, op.y, op.relu, pool, op.running_mean.as<float>(), scale,
               op.beta.as<float>());
}

/// What tells which elements the ReLU let through: x, which is read anyway, saves a third of the reading.
enum class Mask : uint8_t { none, from_y, from_x };

/// Where backward finds and leaves g, the gradient of z, at place i of channel c. With a residual, the first
/// walk leaves g in dresidual (which may be dy itself) and the second reads it there; else both make it from
/// dy.
template <Mask mask, bool with_residual, class T>
struct GradientOfZ {
  const T *x, *y, *dy;
  T* dresidual;
  const float *mean, *scale, *beta;  // from_x: as forward had them

  float compute(int64_t i, int64_t c) const {
    const float g = widen(dy[i]);
    if constexpr (mask == Mask::from_x)
      return relu_gradient(BatchNormAffine<float>{mean[c], scale[c], beta[c]}(widen(x[i])), g);
    else if constexpr (mask == Mask::from_y)
      return relu_gradient(widen(y[i]), g);
    else
      return g;
  }
  float first(int64_t i, int64_t c) const {
    const float g = compute(i, c);
    if constexpr (with_residual) dresidual[i] = narrow<T>(g);  // exact: dy or 0
    return g;
  }
  float second(int64_t i, int64_t c) const {
    if constexpr (with_residual)
      return widen(dresidual[i]);
    else
      return compute(i, c);
  }
};

/// sum_g += g, sum_gx += g*(x - mean) over `rows` rows. The few terms of a group are added in float, each
/// small against the sum they go into, which is double.
template <int64_t rows, class Source, class T>
void add_gradient_sums(const Source& source, const T* x, int64_t row, int64_t channels, const float* mean,
                       double* sum_g, double* sum_gx) {
#pragma omp simd
  for (int64_t c = 0; c < channels; ++c) {
    float s = 0, q = 0;
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t i = row + r * channels + c;
      const float g = source.first(i, c);
      s += g;
      q += g * (widen(x[i]) - mean[c]);
    }
    sum_g[c] += s;
    sum_gx[c] += q;
  }
}

template <Mask mask, bool with_residual, class T>
void backward(const BatchNormBackward& op, Scratch memory, ThreadPool& pool) {
  const int64_t channels = op.x.shape.c, pixels = op.x.shape.pixels();
  ScratchCutter scratch(memory);
  const Tiles rows = batch_norm_tiles(op.x.shape);
  const PairSums sums(scratch, rows.tiles(), channels);
  float *mean_g = scratch.take_array<float>(channels), *mean_g_xhat = scratch.take_array<float>(channels);
  float* scale = scratch.take_array<float>(channels);

  const T* x = op.x.as<T>();
  const float *mean = op.mean.as<float>(), *inv_std = op.inv_std.as<float>(), *gamma = op.gamma.as<float>();
  for (int64_t c = 0; c < channels; ++c) scale[c] = gamma[c] * inv_std[c];
  const GradientOfZ<mask, with_residual, T> source{.x = x,
                                                   .y = mask == Mask::from_y ? op.y.as<T>() : nullptr,
                                                   .dy = op.dy.as<T>(),
                                                   .dresidual = op.dresidual.as_or_null<T>(),
                                                   .mean = mean,
                                                   .scale = scale,
                                                   .beta = op.beta.as_or_null<float>()};
  pool.for_each_tile(rows.tiles(), [&](int64_t tile, int) {
    double *sum_g = sums.first(tile), *sum_gx = sums.second(tile);
    sums.clear(tile);
    const int64_t end = rows.end(tile);
    int64_t p = rows.begin(tile);
    for (; p + kRows <= end; p += kRows)
      add_gradient_sums<kRows>(source, x, p * channels, channels, mean, sum_g, sum_gx);
    for (; p < end; ++p) add_gradient_sums<1>(source, x, p * channels, channels, mean, sum_g, sum_gx);
  });
  sums.combine();

  float *dgamma = op.dgamma.as<float>(), *dbeta = op.dbeta.as<float>();
  // Statistics that were constants pass no gradient on: both means count as zero.
  const double per_value = op.frozen ? 0.0 : 1.0 / static_cast<double>(pixels);
  for (int64_t c = 0; c < channels; ++c) {
    const double g = sums.first(0)[c], g_xhat = sums.second(0)[c] * inv_std[c];
    dbeta[c] = static_cast<float>(dbeta[c] + g);
    dgamma[c] = static_cast<float>(dgamma[c] + g_xhat);
    mean_g[c] = static_cast<float>(g * per_value);
    mean_g_xhat[c] = static_cast<float>(g_xhat * per_value);
  }

  T* dx = op.dx.as<T>();
  pool.for_each_tile(rows.tiles(), [&](int64_t tile, int) {
    for (int64_t p = rows.begin(tile); p < rows.end(tile); ++p) {
      const int64_t row = p * channels;
#pragma omp simd
      for (int64_t c = 0; c < channels; ++c) {
        const BatchNormGradient<float> formula{mean[c], inv_std[c], gamma[c], mean_g[c], mean_g_xhat[c]};
        dx[row + c] = narrow<T>(formula(widen(x[row + c]), source.second(row + c, c)));
      }
    }
  });
}

}  // namespace

size_t scratch_bytes(const BatchNormTrain& op, int) {
  const int64_t channels = op.x.shape.c;
  return ScratchCutter::bytes_for(
      {bytes_of<double>(2 * channels * batch_norm_tiles(op.x.shape).tiles()), bytes_of<float>(channels)});
}
void run(const BatchNormTrain& op, Scratch scratch, ThreadPool& pool) {
  with_type(op.x.dtype, [&]<class T>() { train<T>(op, scratch, pool); });
}

size_t scratch_bytes(const BatchNormInfer& op, int) {
  return ScratchCutter::bytes_for({bytes_of<float>(op.x.shape.c)});
}
void run(const BatchNormInfer& op, Scratch scratch, ThreadPool& pool) {
  with_type(op.x.dtype, [&]<class T>() { infer<T>(op, scratch, pool); });
}

size_t scratch_bytes(const BatchNormBackward& op, int) {
  const int64_t channels = op.x.shape.c;
  const size_t floats = bytes_of<float>(channels);
  return ScratchCutter::bytes_for(
      {bytes_of<double>(2 * channels * batch_norm_tiles(op.x.shape).tiles()), floats, floats, floats});
}
void run(const BatchNormBackward& op, Scratch scratch, ThreadPool& pool) {
  with_type(op.x.dtype, [&]<class T>() {
    const auto go = [&]<Mask mask>() {
      op.dresidual ? backward<mask, true, T>(op, scratch, pool) : backward<mask, false, T>(op, scratch, pool);
    };
    if (!op.relu)
      go.template operator()<Mask::none>();
    else
      op.beta ? go.template operator()<Mask::from_x>() : go.template operator()<Mask::from_y>();
  });
}

}  // namespace laban::cpu::LABAN_ISA
