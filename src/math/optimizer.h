// The optimizers' updates of one parameter, as PyTorch defines them. `w` is the weight, `g` its gradient
// (already scaled by clip_scale); each call updates the state it is given and returns the new weight.
#pragma once

#include <cmath>
#include <cstdint>

#include "math/hd.h"

namespace laban {

/// Whether a sum of squares can be used for an update: it is neither NaN nor infinite.
template <class Real>
LABAN_HD constexpr bool is_finite(Real value) {
  return value - value == Real(0);
}

/// Clipping by the global norm: the factor for every gradient.
template <class Real>
LABAN_HD inline Real clip_scale(Real norm_squared, Real max_norm) {
  const Real scale = max_norm / (std::sqrt(norm_squared) + Real(1e-6));
  return scale < Real(1) ? scale : Real(1);
}

/// Stochastic gradient descent with (Nesterov) momentum; weight decay is part of the gradient.
///   g += decay*w;  v = momentum*v + g, or g in the first step;  w -= lr * (nesterov ? g + momentum*v : v)
template <class Real>
struct SgdUpdate {
  Real lr, weight_decay, momentum;
  bool nesterov, first_step;

  LABAN_HD constexpr Real operator()(Real w, Real g, Real& v) const {
    g += weight_decay * w;
    v = first_step ? g : momentum * v + g;
    return w - lr * (nesterov ? g + momentum * v : v);
  }
};

/// Adam (Kingma & Ba, ICLR 2015), or AdamW (Loshchilov & Hutter, ICLR 2019) if `decoupled`.
///   AdamW: w *= 1 - lr*decay;  Adam: g += decay*w
///   m = beta1*m + (1-beta1)*g;  v = beta2*v + (1-beta2)*g^2
///   w -= lr * (m / correction1) / (sqrt(v / correction2) + eps)        correction_i = 1 - beta_i^step
template <class Real>
struct AdamUpdate {
  Real lr, weight_decay, beta1, beta2;
  Real rest1, rest2;  // 1 - beta; computed in float, the difference would be off by 5e-5 for beta = 0.999
  Real eps;
  bool decoupled;
  Real correction1, correction2;

  /// The bias correction of the moment with that beta, in a step; steps count from 1.
  LABAN_HD static double correction(double beta, double step) { return 1 - std::pow(beta, step); }

  LABAN_HD AdamUpdate(double lr, double weight_decay, double beta1, double beta2, double eps, bool decoupled,
                      double correction1, double correction2)
      : lr(static_cast<Real>(lr)),
        weight_decay(static_cast<Real>(weight_decay)),
        beta1(static_cast<Real>(beta1)),
        beta2(static_cast<Real>(beta2)),
        rest1(static_cast<Real>(1 - beta1)),
        rest2(static_cast<Real>(1 - beta2)),
        eps(static_cast<Real>(eps)),
        decoupled(decoupled),
        correction1(static_cast<Real>(correction1)),
        correction2(static_cast<Real>(correction2)) {}
  LABAN_HD AdamUpdate(double lr, double weight_decay, double beta1, double beta2, double eps, bool decoupled,
                      double step)
      : AdamUpdate(lr, weight_decay, beta1, beta2, eps, decoupled, correction(beta1, step),
                   correction(beta2, step)) {}

  LABAN_HD Real operator()(Real w, Real g, Real& m, Real& v) const {
    if (decoupled)
      w *= Real(1) - lr * weight_decay;
    else
      g += weight_decay * w;
    m = beta1 * m + rest1 * g;
    v = beta2 * v + rest2 * g * g;
    return w - lr * (m / correction1) / (std::sqrt(v / correction2) + eps);
  }
};

}  // namespace laban
