// Batch normalization, fused with the residual add and the ReLU that follow it. Formulas: math/batch_norm.h.
#include "math/batch_norm.h"
#include "math/activation.h"
#include "reference/loops.h"

namespace laban::reference {
namespace {
/// y = relu?(affine[c](x) + residual), over all places and channels. affine_of(c) makes the channel's
/// formula.
template <class T, class AffineOf>
void normalize(const Tensor& xt, const Tensor& rt, const Tensor& yt, bool with_relu, AffineOf&& affine_of) {
  const int64_t channels = xt.shape.c, pixels = xt.shape.pixels();
  const T *x = xt.as<T>(), *residual = rt.as_or_null<T>();
  T* y = yt.as<T>();
  for (int64_t p = 0, i = 0; p < pixels; ++p)
    for (int64_t c = 0; c < channels; ++c, ++i) {
      double z = affine_of(c)(load(x[i]));
      if (residual) z += load(residual[i]);
      store(y[i], with_relu ? relu(z) : z);
    }
}

template <class T>
void train(const BatchNormTrain& op, Scratch scratch) {
  using M = MasterOf<T>;
  const int64_t channels = op.x.shape.c, pixels = op.x.shape.pixels();
  const T* x = op.x.as<T>();
  double* mean = zeroed_accumulators(scratch, 2 * channels);
  double* variance = mean + channels;

  // Two passes: the squares are summed around the mean, where nothing cancels.
  for (int64_t p = 0, i = 0; p < pixels; ++p)
    for (int64_t c = 0; c < channels; ++c, ++i) mean[c] += load(x[i]);
  for (int64_t c = 0; c < channels; ++c) mean[c] /= static_cast<double>(pixels);
  for (int64_t p = 0, i = 0; p < pixels; ++p)
    for (int64_t c = 0; c < channels; ++c, ++i) {
      const double centered = load(x[i]) - mean[c];
      variance[c] += centered * centered;
    }
  for (int64_t c = 0; c < channels; ++c) variance[c] /= static_cast<double>(pixels);

  if (op.running_mean) {
    M *running_mean = op.running_mean.as<M>(), *running_var = op.running_var.as<M>();
    const double unbiased = unbiased_factor<double>(pixels);
    for (int64_t c = 0; c < channels; ++c) {
      store(running_mean[c], running_statistic<double>(running_mean[c], mean[c], op.momentum));
      store(running_var[c], running_statistic<double>(running_var[c], variance[c] * unbiased, op.momentum));
    }
  }

  // From here on `variance` holds gamma * inv_std.
  double* scale = variance;
  const M *gamma = op.gamma.as<M>(), *beta = op.beta.as<M>();
  M *saved_mean = op.mean.as<M>(), *saved_inv_std = op.inv_std.as<M>();
  for (int64_t c = 0; c < channels; ++c) {
    const double inv_std = inverse_std(variance[c], op.eps);
    store(saved_mean[c], mean[c]);
    store(saved_inv_std[c], inv_std);
    scale[c] = gamma[c] * inv_std;
  }
  normalize<T>(op.x, op.residual, op.y, op.relu, [&](int64_t c) {
    return BatchNormAffine<double>{mean[c], scale[c], beta[c]};
  });
}

template <class T>
void infer(const BatchNormInfer& op, Scratch scratch) {
  using M = MasterOf<T>;
  const int64_t channels = op.x.shape.c;
  const M *gamma = op.gamma.as<M>(), *beta = op.beta.as<M>();
  const M *mean = op.running_mean.as<M>(), *variance = op.running_var.as<M>();
  double* scale = zeroed_accumulators(scratch, channels);
  for (int64_t c = 0; c < channels; ++c) scale[c] = gamma[c] * inverse_std<double>(variance[c], op.eps);
  normalize<T>(op.x, op.residual, op.y, op.relu, [&](int64_t c) {
    return BatchNormAffine<double>{mean[c], scale[c], beta[c]};
  });
}

template <class T>
void backward(const BatchNormBackward& op, Scratch scratch) {
  using M = MasterOf<T>;
  const int64_t channels = op.x.shape.c, pixels = op.x.shape.pixels();
  const T *x = op.x.as<T>(), *dy = op.dy.as<T>(), *y = op.relu ? op.y.as<T>() : nullptr;
  T *dx = op.dx.as<T>(), *dresidual = op.dresidual.as_or_null<T>();
  const M *gamma = op.gamma.as<M>(), *mean = op.mean.as<M>(), *inv_std = op.inv_std.as<M>();
  M *dgamma = op.dgamma.as<M>(), *dbeta = op.dbeta.as<M>();
  double* sum_g = zeroed_accumulators(scratch, 2 * channels);
  double* sum_g_xhat = sum_g + channels;

  const auto gradient_of_z = [&](int64_t i) {
    return y ? relu_gradient(load(y[i]), load(dy[i])) : load(dy[i]);
  };
  const auto formula_of = [&](int64_t c) { return BatchNormGradient<double>{mean[c], inv_std[c], gamma[c]}; };

  for (int64_t p = 0, i = 0; p < pixels; ++p)
    for (int64_t c = 0; c < channels; ++c, ++i) {
      const double g = gradient_of_z(i);
      sum_g[c] += g;
      sum_g_xhat[c] += g * formula_of(c).xhat(load(x[i]));
    }
  for (int64_t c = 0; c < channels; ++c) {
    add(dbeta[c], sum_g[c]);
    add(dgamma[c], sum_g_xhat[c]);
  }

  // Statistics that were constants pass no gradient on: both means count as zero.
  const double per_value = op.frozen ? 0.0 : 1.0 / static_cast<double>(pixels);
  for (int64_t p = 0, i = 0; p < pixels; ++p)
    for (int64_t c = 0; c < channels; ++c, ++i) {
      const double g = gradient_of_z(i);  // before dresidual is written: it may lie where dy does
      BatchNormGradient<double> formula = formula_of(c);
      formula.mean_g = sum_g[c] * per_value;
      formula.mean_g_xhat = sum_g_xhat[c] * per_value;
      store(dx[i], formula(load(x[i]), g));
      if (dresidual) store(dresidual[i], g);
    }
}

}  // namespace

template <>
size_t scratch_bytes(const BatchNormTrain& op) {
  return accumulator_bytes(2 * op.x.shape.c);
}
template <>
void run(const BatchNormTrain& op, Scratch scratch) {
  with_float_type(op.x.dtype, [&]<class T>() { train<T>(op, scratch); });
}

template <>
size_t scratch_bytes(const BatchNormInfer& op) {
  return accumulator_bytes(op.x.shape.c);
}
template <>
void run(const BatchNormInfer& op, Scratch scratch) {
  with_float_type(op.x.dtype, [&]<class T>() { infer<T>(op, scratch); });
}

template <>
size_t scratch_bytes(const BatchNormBackward& op) {
  return accumulator_bytes(2 * op.x.shape.c);
}
template <>
void run(const BatchNormBackward& op, Scratch scratch) {
  with_float_type(op.x.dtype, [&]<class T>() { backward<T>(op, scratch); });
}

template <>
size_t scratch_bytes(const InverseStd&) {
  return 0;
}
template <>
void run(const InverseStd& op, Scratch) {
  with_master_type(op.variance.dtype, [&]<class M>() {
    const M* variance = op.variance.as<M>();
    M* inv_std = op.inv_std.as<M>();
    for (int64_t c = 0; c < op.variance.count(); ++c)
      store(inv_std[c], inverse_std<double>(variance[c], op.eps));
  });
}

}  // namespace laban::reference
