// Exponential moving averages of weights (Polyak & Juditsky, SIAM J. Control Optim. 1992, average uniformly;
// the exponential form forgets the beginning).
//
//   a_0 = x_0        a_t = decay_t a_{t-1} + (1 - decay_t) x_t
//   decay_t = min(decay, (1 + t) / (10 + t))
//
// The second bound makes the average follow quickly at first: with a decay of 0.999 alone, the initial
// weights would still contribute a third after a thousand steps.
#pragma once

#include <algorithm>
#include <cstdint>

#include "math/hd.h"

namespace laban {

/// decay_t, for update t = 1, 2, ...
inline double decay_of_update(double decay, int64_t t) {
  return std::min(decay, (1 + static_cast<double>(t)) / (10 + static_cast<double>(t)));
}

/// One update of one value; `rest` is 1 - decay. In this form, the average of a constant is exactly that
/// constant.
template <class Real>
LABAN_HD constexpr Real moving_average(Real average, Real value, Real rest) {
  return average + rest * (value - average);
}

}  // namespace laban
