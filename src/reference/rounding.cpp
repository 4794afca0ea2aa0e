#include "reference/rounding.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "math/activation.h"

namespace laban::opcheck {
namespace {

/// body(element, channel) for all of them.
template <class Body>
void for_each_element(const Shape& shape, Body&& body) {
  for (int64_t p = 0, i = 0; p < shape.pixels(); ++p)
    for (int64_t c = 0; c < shape.c; ++c, ++i) body(i, c);
}

/// |values| averaged over the places, a channel each.
std::vector<double> mean_magnitudes(const Tensor& values) {
  std::vector<double> mean(static_cast<size_t>(values.shape.c));
  const double* value = values.as<double>();
  for_each_element(values.shape,
                   [&](int64_t i, int64_t c) { mean[static_cast<size_t>(c)] += std::abs(value[i]); });
  for (double& v : mean) v /= static_cast<double>(values.shape.pixels());
  return mean;
}

/// Of z = gamma * (x - mean) * inv_std + beta + residual. The mean's own rounding is that of its magnitude.
template <class MeanMagnitude, class InvStd>
void affine_magnitudes(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& residual,
                       const Tensor& y, MeanMagnitude&& mean, InvStd&& inv_std) {
  const double *input = x.as<double>(), *added = residual ? residual.as<double>() : nullptr;
  double* magnitude = y.as<double>();
  for_each_element(x.shape, [&](int64_t i, int64_t c) {
    magnitude[i] = std::abs(gamma.as<double>()[c]) * inv_std(c) * (std::abs(input[i]) + mean(c)) +
                   std::abs(beta.as<double>()[c]) + (added ? std::abs(added[i]) : 0.0);
  });
}

/// The largest |logit| of every sample: exp turns its absolute error into a relative one.
std::vector<double> largest_logits(const Tensor& logits) {
  std::vector<double> largest(static_cast<size_t>(logits.shape.n));
  const double* logit = logits.as<double>();
  for (int64_t i = 0; i < logits.count(); ++i) {
    double& so_far = largest[static_cast<size_t>(i / logits.shape.c)];
    so_far = std::max(so_far, std::abs(logit[i]));
  }
  return largest;
}

}  // namespace

void to_magnitudes(const BatchNormTrain& op) {
  const std::vector<double> mean = mean_magnitudes(op.x);
  const auto mean_of = [&](int64_t c) { return mean[static_cast<size_t>(c)]; };
  affine_magnitudes(op.x, op.gamma, op.beta, op.residual, op.y, mean_of,
                    [&](int64_t c) { return op.inv_std.as<double>()[c]; });
  std::copy(mean.begin(), mean.end(), op.mean.as<double>());
  if (!op.running_mean) return;
  double* running = op.running_mean.as<double>();
  for (int64_t c = 0; c < op.x.shape.c; ++c) running[c] = std::abs(running[c]) + op.momentum * mean_of(c);
}

void to_magnitudes(const BatchNormInfer& op) {
  affine_magnitudes(
      op.x, op.gamma, op.beta, op.residual, op.y,
      [&](int64_t c) { return std::abs(op.running_mean.as<double>()[c]); },
      [&](int64_t c) { return 1 / std::sqrt(op.running_var.as<double>()[c] + op.eps); });
}

/// The convolution on absolute values, then that of the batch norm.
void to_magnitudes(const ConvBatchNorm& op) {
  std::vector<double> x(op.x.as<double>(), op.x.as<double>() + op.x.count()),
      w(op.w.as<double>(), op.w.as<double>() + op.w.count());
  for (std::vector<double>* values : {&x, &w})
    for (double& value : *values) value = std::abs(value);
  ConvForward convolution = op.convolution();
  convolution.x.data = x.data();
  convolution.w.data = w.data();
  convolution.bias = {};
  reference::run(convolution, {});
  if (op.bias)
    for_each_element(
        op.y.shape, [&](int64_t i, int64_t c) { op.y.as<double>()[i] += std::abs(op.bias.as<double>()[c]); });
  to_magnitudes(op.normalization());
}

void to_magnitudes(const BatchNormBackward& op) {
  const int64_t channels = op.x.shape.c;
  const double *x = op.x.as<double>(), *dy = op.dy.as<double>();
  const double* y = op.relu ? op.y.as<double>() : nullptr;
  const double *mean = op.mean.as<double>(), *inv_std = op.inv_std.as<double>();
  const auto g = [&](int64_t i) { return std::abs(y ? relu_gradient(y[i], dy[i]) : dy[i]); };
  const auto xhat = [&](int64_t i, int64_t c) { return (std::abs(x[i]) + std::abs(mean[c])) * inv_std[c]; };
  double *dgamma = op.dgamma.as<double>(), *dbeta = op.dbeta.as<double>(), *dx = op.dx.as<double>();
  std::fill_n(dgamma, channels, 0.0);
  std::fill_n(dbeta, channels, 0.0);
  for_each_element(op.x.shape, [&](int64_t i, int64_t c) {
    dbeta[c] += g(i);
    dgamma[c] += g(i) * xhat(i, c);
  });
  const double per_value = op.frozen ? 0.0 : 1.0 / static_cast<double>(op.x.shape.pixels());
  for_each_element(op.x.shape, [&](int64_t i, int64_t c) {
    dx[i] = std::abs(op.gamma.as<double>()[c]) * inv_std[c] *
            (g(i) + dbeta[c] * per_value + xhat(i, c) * dgamma[c] * per_value);
  });
}

/// loss = log(sum exp(logits - largest)) - (logit - largest); dlogits = scale * (p - q), p and q at most 1, or the
/// largest class weight.
void to_magnitudes(const SoftmaxCrossEntropy& op) {
  double weight = 1;
  if (op.class_weights) {
    const double* weights = op.class_weights.as<double>();
    weight = *std::max_element(weights, weights + op.class_weights.count());
  }
  const std::vector<double> largest = largest_logits(op.logits);
  for (int64_t n = 0; n < op.logits.shape.n; ++n) {
    const double logit = largest[static_cast<size_t>(n)];
    op.loss.as<double>()[n] = std::abs(op.loss.as<double>()[n]) + 2 * logit * weight;
    if (!op.dlogits) continue;
    for (int64_t c = 0; c < op.logits.shape.c; ++c)
      op.dlogits.as<double>()[n * op.logits.shape.c + c] = std::abs(op.scale) * weight * (1 + 2 * logit);
  }
}

void to_magnitudes(const Softmax& op) {
  const std::vector<double> largest = largest_logits(op.logits);
  double* p = op.probabilities.as<double>();
  for (int64_t i = 0; i < op.logits.count(); ++i)
    p[i] *= 1 + 2 * largest[static_cast<size_t>(i / op.logits.shape.c)];
}

}  // namespace laban::opcheck
