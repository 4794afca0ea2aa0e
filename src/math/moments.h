// Mean and variance of a stream of numbers, without the cancellation of E[x^2] - E[x]^2: Chan, Golub,
// LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
#pragma once

#include "math/hd.h"

namespace laban {

/// For `count` numbers, their mean and m2 = sum (x - mean)^2. Both are 0 as long as there are none.
template <class Real>
struct Moments {
  Real count = 0, mean = 0, m2 = 0;

  /// Adds the numbers of `other`.
  LABAN_HD constexpr void merge(const Moments& other) {
    const Real total = count + other.count;
    if (other.count == Real(0)) return;
    const Real weight = other.count / total;
    merge_weighted(other.mean, other.m2, weight, count * weight);
    count = total;
  }
  /// The same with known weights: weight = other.count / total, cross = count * weight. Does not change
  /// `count`. Channels with the same count thus need only one division.
  LABAN_HD constexpr void merge_weighted(Real other_mean, Real other_m2, Real weight, Real cross) {
    const Real difference = other_mean - mean;
    mean += difference * weight;
    m2 += other_m2 + difference * difference * cross;
  }
};

}  // namespace laban
