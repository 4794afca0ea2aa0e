// ReLU and its derivative.
#pragma once

#include "math/hd.h"

namespace laban {

/// max(z, 0). NaN stays NaN, so that a diverged network is noticed.
template <class Real>
LABAN_HD constexpr Real relu(Real z) {
  return z < Real(0) ? Real(0) : z;
}

/// d loss / d z from y = relu(z) and d loss / d y. At the kink (y = 0) the derivative is taken as 0.
template <class Real>
LABAN_HD constexpr Real relu_gradient(Real y, Real dy) {
  return y > Real(0) ? dy : Real(0);
}

}  // namespace laban
