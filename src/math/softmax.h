// Softmax cross-entropy with label smoothing (Szegedy et al., "Rethinking the Inception architecture", CVPR
// 2016), in PyTorch's form: the smoothing mass is spread over all classes, including the correct one.
//
//   p_k = exp(z_k - m) / s        m = max_k z_k,  s = sum_k exp(z_k - m)
//   q_k = (1-smoothing) [k = label] + smoothing/classes; for a mixed clip (math/mix.h):
//   q_k = (1-smoothing) (fraction [k = label] + (1-fraction) [k = other]) + smoothing/classes
//   loss = -sum_k q_k log p_k = sum_k q_k (log s - (z_k - m))        dloss/dz_k = p_k - q_k
//
// With weights w of the classes, as in PyTorch's CrossEntropyLoss(weight=w, reduction="none"), q_k w_k takes the
// place of q_k; these no longer add up to 1:
//
//   loss = -sum_k q_k w_k log p_k        dloss/dz_k = p_k sum_j q_j w_j - q_k w_k
//
// The maximum is subtracted first so that no exponential overflows.
#pragma once

#include <cmath>
#include <cstdint>

#include "math/hd.h"

namespace laban {

/// What a pass over one row of logits computes: the maximum, and the sum of exponentials relative to it.
template <class Real>
struct SoftmaxRow {
  Real max, sum;

  LABAN_HD Real probability(Real logit) const { return std::exp(logit - max) / sum; }
  LABAN_HD Real log_probability(Real logit) const { return logit - max - std::log(sum); }
};

/// q_k
template <class Real>
struct SmoothedTarget {
  int64_t label, other;  // the classes of a mixed clip
  Real fraction;         // of `label`; 1 if the clip is not mixed
  Real smoothing, spread;

  LABAN_HD SmoothedTarget(int64_t label, int64_t other, Real fraction, int64_t classes, Real smoothing)
      : label(label),
        other(other),
        fraction(fraction),
        smoothing(smoothing),
        spread(smoothing / static_cast<Real>(classes)) {}
  LABAN_HD Real operator()(int64_t k) const {
    const Real certain = (k == label ? fraction : Real(0)) + (k == other ? Real(1) - fraction : Real(0));
    return (Real(1) - smoothing) * certain + spread;
  }
};

}  // namespace laban
