// Batch normalization, per channel: Ioffe & Szegedy, "Batch normalization", ICML 2015, with PyTorch's
// conventions for the running statistics.
//
//   xhat = (x - mean) * inv_std          inv_std = 1 / sqrt(biased variance + eps)
//   z    = gamma * xhat + beta
#pragma once

#include <cmath>
#include <cstdint>

#include "math/hd.h"
#include "math/multiply_add.h"

namespace laban {

template <class Real>
LABAN_HD inline Real inverse_std(Real variance, Real eps) {
  return Real(1) / std::sqrt(variance + eps);
}

/// The factor that makes a variance over `count` values unbiased; 1 for a single value, for which there is
/// none.
template <class Real>
LABAN_HD constexpr Real unbiased_factor(int64_t count) {
  return count > 1 ? static_cast<Real>(count) / static_cast<Real>(count - 1) : Real(1);
}

/// The exponential moving average of a statistic: `momentum` is the weight of the new value.
template <class Real>
LABAN_HD constexpr Real running_statistic(Real running, Real batch, Real momentum) {
  return (Real(1) - momentum) * running + momentum * batch;
}

/// x -> z for one channel. Centered before scaling: gamma*inv_std*x + shift would suffer cancellation if
/// |mean| >> std. Bit-identical in forward and backward, which derives the ReLU mask from z > 0.
template <class Real>
struct BatchNormAffine {
  Real mean, scale, beta;  // scale = gamma * inv_std

  LABAN_HD Real operator()(Real x) const { return multiply_add(x - mean, scale, beta); }
};

/// (x, g = dloss/dz) -> dloss/dx for one channel:
///   batch statistics:  gamma*inv_std * (g - mean(g) - xhat * mean(g*xhat))
///   constant (frozen) statistics:  gamma*inv_std * g, which is the same with both means 0.
template <class Real>
struct BatchNormGradient {
  Real mean, inv_std, gamma;
  Real mean_g = 0, mean_g_xhat = 0;

  LABAN_HD constexpr Real xhat(Real x) const { return (x - mean) * inv_std; }
  LABAN_HD constexpr Real operator()(Real x, Real g) const {
    return gamma * inv_std * (g - mean_g - xhat(x) * mean_g_xhat);
  }
};

}  // namespace laban
