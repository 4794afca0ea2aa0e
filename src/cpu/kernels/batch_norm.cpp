// Batch normalization, fused with the residual add and the ReLU that follow it. Formulas: math/batch_norm.h.
//
// Memory is what these ops wait for, so the tensors are walked as few times as can be: twice in training
// (statistics, then y), once in evaluation, twice in backward (sums, then dx).
//
// Mean and variance in a single walk: sums of d = x - shift and of d*d, where `shift` is a value that the
// channel takes. Near the mean d is exact, and
//
//   mean = shift + E[d]     var = E[d^2] - E[d]^2
//
// lose about (shift - mean)^2 / var of the precision of the sums (rows.h), however far from zero the mean may
// be. The median of five values lies within ten standard deviations of the mean but for once in 10^5 (three of
// the five would have to lie beyond, each with a probability of at most 1/100: Chebyshev), whatever the
// distribution, and mostly within one.
#include "math/batch_norm.h"

#include <algorithm>
#include <cmath>

#include "core/ops/batch_norm.h"
#include "cpu/kernels/ops.h"
#include "cpu/kernels/rows.h"
#include "math/activation.h"

namespace laban::cpu::LABAN_ISA {
namespace {

float median(float a, float b, float c) { return std::max(std::min(a, b), std::min(std::max(a, b), c)); }
float median(float a, float b, float c, float d, float e) {
  // The least of all and the largest cannot be it.
  return median(std::max(std::min(a, b), std::min(c, d)), std::min(std::max(a, b), std::max(c, d)), e);
}

/// A value from the middle of each channel.
template <class T>
void choose_shift(const T* x, int64_t pixels, int64_t channels, float* shift) {
  const T* row[5];
  for (int64_t i = 0; i < 5; ++i) row[i] = x + (2 * i + 1) * pixels / 10 * channels;
  for (int64_t c = 0; c < channels; ++c) {
    const float middle =
        median(widen(row[0][c]), widen(row[1][c]), widen(row[2][c]), widen(row[3][c]), widen(row[4][c]));
    shift[c] = std::isfinite(middle) ? middle : 0.0f;
  }
}

/// y = relu?(affine(x) + residual?), one instance for each of the four cases.
template <bool with_residual, bool with_relu, class T>
void normalize_rows(const Rows& rows, ThreadPool& pool, const T* x, const T* residual, T* y,
                    const float* mean, const float* scale, const float* beta) {
  pool.for_each_tile(rows.tiles.tiles(), [&](int64_t tile, int) {
    rows.walk(tile, [&]<int64_t count>(int64_t at, int64_t width) {
      fetch_ahead(x + at, count * width);
      if constexpr (with_residual) fetch_ahead(residual + at, count * width);
#pragma omp simd
      for (int64_t i = 0; i < width; ++i)
        for (int64_t r = 0; r < count; ++r) {
          const int64_t e = at + r * width + i;
          float z = BatchNormAffine<float>{mean[i], scale[i], beta[i]}(widen(x[e]));
          if constexpr (with_residual) z += widen(residual[e]);
          y[e] = narrow<T>(with_relu ? relu(z) : z);
        }
    });
  });
}

/// For mean, scale and beta as a row has them.
struct AffineRows {
  float *mean, *scale, *beta;
  explicit AffineRows(ScratchCutter& scratch, const Rows& rows)
      : mean(scratch.take_array<float>(rows.width)),
        scale(scratch.take_array<float>(rows.width)),
        beta(scratch.take_array<float>(rows.width)) {}
};

template <class T>
void normalize(const Tensor& xt, const Tensor& rt, const Tensor& yt, bool with_relu, const Rows& rows,
               const AffineRows& affine, ThreadPool& pool) {
  const T *x = xt.as<T>(), *residual = rt.as_or_null<T>();
  T* y = yt.as<T>();
  const auto go = [&]<bool residual_, bool relu_>() {
    normalize_rows<residual_, relu_>(rows, pool, x, residual, y, affine.mean, affine.scale, affine.beta);
  };
  if (residual)
    with_relu ? go.template operator()<true, true>() : go.template operator()<true, false>();
  else
    with_relu ? go.template operator()<false, true>() : go.template operator()<false, false>();
}

template <class T>
void train(const BatchNormTrain& op, Scratch memory, ThreadPool& pool) {
  const int64_t channels = op.x.shape.c, pixels = op.x.shape.pixels();
  ScratchCutter scratch(memory);
  const Rows rows(op.x.shape);
  const ChannelSums<2> sums(rows, scratch, pool.threads());
  const AffineRows affine(scratch, rows);
  float *shift_row = scratch.take_array<float>(rows.width), *scale = scratch.take_array<float>(channels),
        *shift = scratch.take_array<float>(channels);

  const T* x = op.x.as<T>();
  choose_shift(x, pixels, channels, shift);
  rows.spread(shift, shift_row);
  sums.add(pool, [&]<int64_t count>(int64_t at, int64_t width, float* sum) {
    float* squares = sum + rows.width;
    fetch_ahead(x + at, count * width);
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) {
      float s = 0, q = 0;
      for (int64_t r = 0; r < count; ++r) {
        const float d = widen(x[at + r * width + i]) - shift_row[i];
        s += d;
        q += d * d;
      }
      sum[i] += s;
      squares[i] += q;
    }
  });

  const double count = static_cast<double>(pixels), unbiased = unbiased_factor<double>(pixels);
  const float *gamma = op.gamma.as<float>(), *beta = op.beta.as<float>();
  float *mean = op.mean.as<float>(), *inv_std = op.inv_std.as<float>();
  float *running_mean = op.running_mean.as_or_null<float>(),
        *running_var = op.running_var.as_or_null<float>();
  for (int64_t c = 0; c < channels; ++c) {
    const double off = sums.of(0)[c] / count, m = shift[c] + off;
    const double variance = std::max(0.0, sums.of(1)[c] / count - off * off);
    mean[c] = static_cast<float>(m);
    inv_std[c] = static_cast<float>(inverse_std(variance, op.eps));
    scale[c] = gamma[c] * inv_std[c];
    if (!running_mean) continue;
    running_mean[c] = static_cast<float>(running_statistic<double>(running_mean[c], m, op.momentum));
    running_var[c] =
        static_cast<float>(running_statistic<double>(running_var[c], variance * unbiased, op.momentum));
  }
  rows.spread(mean, affine.mean);
  rows.spread(scale, affine.scale);
  rows.spread(beta, affine.beta);
  normalize<T>(op.x, op.residual, op.y, op.relu, rows, affine, pool);
}

template <class T>
void infer(const BatchNormInfer& op, Scratch memory, ThreadPool& pool) {
  const int64_t channels = op.x.shape.c;
  ScratchCutter scratch(memory);
  const Rows rows(op.x.shape);
  const AffineRows affine(scratch, rows);
  float* scale = scratch.take_array<float>(channels);
  const float *gamma = op.gamma.as<float>(), *variance = op.running_var.as<float>();
  for (int64_t c = 0; c < channels; ++c)
    scale[c] = static_cast<float>(gamma[c] * inverse_std<double>(variance[c], op.eps));
  rows.spread(op.running_mean.as<float>(), affine.mean);
  rows.spread(scale, affine.scale);
  rows.spread(op.beta.as<float>(), affine.beta);
  normalize<T>(op.x, op.residual, op.y, op.relu, rows, affine, pool);
}

/// relu_gradient(y, dy) for loops that are to be vectors.
inline float masked_gradient(float y, float dy) { return choose(y > 0.0f, dy, 0.0f); }

/// What tells which elements the ReLU let through: x, which is read anyway, saves a third of the reading.
enum class Mask : uint8_t { none, from_y, from_x };

/// Where backward finds and leaves g, the gradient of z, at element e, the i-th of its row. With a residual,
/// the first walk leaves g in dresidual (which may be dy itself) and the second reads it there; else both make
/// it from dy.
template <Mask mask, bool with_residual, class T>
struct GradientOfZ {
  const T *x, *y, *dy;
  T* dresidual;
  const float *mean, *scale, *beta;  // from_x: as forward had them

  float compute(int64_t e, int64_t i) const {
    const float g = widen(dy[e]);
    if constexpr (mask == Mask::from_x)
      return masked_gradient(BatchNormAffine<float>{mean[i], scale[i], beta[i]}(widen(x[e])), g);
    else if constexpr (mask == Mask::from_y)
      return masked_gradient(widen(y[e]), g);
    else
      return g;
  }
  void fetch_first(int64_t e, int64_t count) const {
    fetch_ahead(dy + e, count);
    if constexpr (mask == Mask::from_y) fetch_ahead(y + e, count);
  }
  void fetch_second(int64_t e, int64_t count) const {
    if constexpr (with_residual)
      fetch_ahead(dresidual + e, count);
    else
      fetch_first(e, count);
  }
  float first(int64_t e, int64_t i) const {
    const float g = compute(e, i);
    if constexpr (with_residual) dresidual[e] = narrow<T>(g);  // exact: dy or 0
    return g;
  }
  float second(int64_t e, int64_t i) const {
    if constexpr (with_residual)
      return widen(dresidual[e]);
    else
      return compute(e, i);
  }
};

template <Mask mask, bool with_residual, class T>
void backward(const BatchNormBackward& op, Scratch memory, ThreadPool& pool) {
  const int64_t channels = op.x.shape.c, pixels = op.x.shape.pixels();
  ScratchCutter scratch(memory);
  const Rows rows(op.x.shape);
  const ChannelSums<2> sums(rows, scratch, pool.threads());
  const AffineRows affine(scratch, rows);
  float *mean_g_row = scratch.take_array<float>(rows.width),
        *slope_row = scratch.take_array<float>(rows.width);
  float *scale = scratch.take_array<float>(channels), *mean_g = scratch.take_array<float>(channels),
        *slope = scratch.take_array<float>(channels);

  const T* x = op.x.as<T>();
  const float *mean = op.mean.as<float>(), *inv_std = op.inv_std.as<float>(), *gamma = op.gamma.as<float>();
  for (int64_t c = 0; c < channels; ++c) scale[c] = gamma[c] * inv_std[c];
  rows.spread(mean, affine.mean);
  rows.spread(scale, affine.scale);
  if constexpr (mask == Mask::from_x) rows.spread(op.beta.as<float>(), affine.beta);
  const GradientOfZ<mask, with_residual, T> source{.x = x,
                                                   .y = mask == Mask::from_y ? op.y.as<T>() : nullptr,
                                                   .dy = op.dy.as<T>(),
                                                   .dresidual = op.dresidual.as_or_null<T>(),
                                                   .mean = affine.mean,
                                                   .scale = affine.scale,
                                                   .beta = affine.beta};
  // Of g, and of g * (x - mean).
  sums.add(pool, [&]<int64_t count>(int64_t at, int64_t width, float* sum_g) {
    float* sum_gx = sum_g + rows.width;
    fetch_ahead(x + at, count * width);
    source.fetch_first(at, count * width);
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) {
      float s = 0, q = 0;
      for (int64_t r = 0; r < count; ++r) {
        const int64_t e = at + r * width + i;
        const float g = source.first(e, i);
        s += g;
        q += g * (widen(x[e]) - affine.mean[i]);
      }
      sum_g[i] += s;
      sum_gx[i] += q;
    }
  });

  float *dgamma = op.dgamma.as<float>(), *dbeta = op.dbeta.as<float>();
  // Statistics that were constants pass no gradient on: both means count as zero.
  const double per_value = op.frozen ? 0.0 : 1.0 / static_cast<double>(pixels);
  for (int64_t c = 0; c < channels; ++c) {
    const double g = sums.of(0)[c], g_xhat = sums.of(1)[c] * inv_std[c];
    dbeta[c] = static_cast<float>(dbeta[c] + g);
    dgamma[c] = static_cast<float>(dgamma[c] + g_xhat);
    mean_g[c] = static_cast<float>(g * per_value);
    slope[c] = static_cast<float>(g_xhat * per_value * inv_std[c]);
  }
  rows.spread(mean_g, mean_g_row);
  rows.spread(slope, slope_row);

  // BatchNormGradient's formula, of which xhat * mean(g*xhat) = (x - mean) * slope.
  T* dx = op.dx.as<T>();
  pool.for_each_tile(rows.tiles.tiles(), [&](int64_t tile, int) {
    rows.walk(tile, [&]<int64_t count>(int64_t at, int64_t width) {
      fetch_ahead(x + at, count * width);
      source.fetch_second(at, count * width);
#pragma omp simd
      for (int64_t i = 0; i < width; ++i)
        for (int64_t r = 0; r < count; ++r) {
          const int64_t e = at + r * width + i;
          const float off = widen(x[e]) - affine.mean[i];
          dx[e] = narrow<T>(affine.scale[i] * (source.second(e, i) - mean_g_row[i] - off * slope_row[i]));
        }
    });
  });
}

}  // namespace

size_t scratch_bytes(const BatchNormTrain& op, int threads) {
  const Rows rows(op.x.shape);
  const size_t row = bytes_of<float>(rows.width), channels = bytes_of<float>(rows.channels);
  return ScratchCutter::bytes_for(
      {ChannelSums<2>::bytes(rows, threads), row, row, row, row, channels, channels});
}
void run(const BatchNormTrain& op, Scratch scratch, ThreadPool& pool) {
  with_type(op.x.dtype, [&]<class T>() { train<T>(op, scratch, pool); });
}

size_t scratch_bytes(const BatchNormInfer& op, int) {
  const Rows rows(op.x.shape);
  const size_t row = bytes_of<float>(rows.width);
  return ScratchCutter::bytes_for({row, row, row, bytes_of<float>(rows.channels)});
}
void run(const BatchNormInfer& op, Scratch scratch, ThreadPool& pool) {
  with_type(op.x.dtype, [&]<class T>() { infer<T>(op, scratch, pool); });
}

size_t scratch_bytes(const BatchNormBackward& op, int threads) {
  const Rows rows(op.x.shape);
  const size_t row = bytes_of<float>(rows.width), channels = bytes_of<float>(rows.channels);
  return ScratchCutter::bytes_for(
      {ChannelSums<2>::bytes(rows, threads), row, row, row, row, row, channels, channels, channels});
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
