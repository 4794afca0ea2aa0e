// What a count of right answers says about the probability of a right answer.
#pragma once

#include <cmath>
#include <cstdint>

namespace laban {

struct Interval {
  double low = 0, high = 1;
};

/// The Wilson score interval (E. B. Wilson, 1927) for `correct` of `count`; 95 % by default. Unlike the
/// interval p +- z*sqrt(p(1-p)/n) it holds for small counts and for 0 or all right. Without any answer: 0
/// to 1.
inline Interval wilson_interval(int64_t correct, int64_t count, double z = 1.959963984540054) {
  if (count <= 0) return {};
  const auto n = static_cast<double>(count);
  const double p = static_cast<double>(correct) / n;
  const double denominator = 1 + z * z / n;
  const double center = (p + z * z / (2 * n)) / denominator;
  const double half = z / denominator * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return {correct == 0 ? 0 : center - half, correct == count ? 1 : center + half};
}

}  // namespace laban
