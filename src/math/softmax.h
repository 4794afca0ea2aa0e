// Softmax cross-entropy with label smoothing (Szegedy et al., "Rethinking the Inception architecture", CVPR
// 2016), in PyTorch's form: the smoothing mass is spread over all classes, the right one included.
//
//   p_k = exp(z_k - m) / s        m = max_k z_k,  s = sum_k exp(z_k - m)
//   q_k = (1-smoothing) [k = label] + smoothing/classes
//   loss = -sum_k q_k log p_k = sum_k q_k (log s - (z_k - m))        dloss/dz_k = p_k - q_k
//
// The maximum is taken out first so that no exponential overflows.
#pragma once

#include <cmath>
#include <cstdint>

#include "math/hd.h"

namespace laban {

/// What a pass over one row of logits must find: the maximum, then the sum of exponentials below it.
template <class Real>
struct SoftmaxRow {
  Real max, sum;

  LABAN_HD Real probability(Real logit) const { return std::exp(logit - max) / sum; }
  LABAN_HD Real log_probability(Real logit) const { return logit - max - std::log(sum); }
};

/// q_k
template <class Real>
LABAN_HD constexpr Real smoothed_target(int64_t k, int64_t label, int64_t classes, Real smoothing) {
  const Real spread = smoothing / static_cast<Real>(classes);
  return k == label ? Real(1) - smoothing + spread : spread;
}

}  // namespace laban
