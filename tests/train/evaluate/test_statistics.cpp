#include "train/evaluate/statistics.h"

#include <doctest/doctest.h>

using namespace laban;

TEST_CASE("Wilson's interval gives the published values") {
  // R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17
  // (1998), table I, method 3 (score without continuity correction), four decimals.
  const struct {
    int64_t correct, count;
    double low, high;
  } published[] = {
      {81, 263, 0.2553, 0.3662}, {15, 148, 0.0624, 0.1605}, {0, 20, 0, 0.1611}, {1, 29, 0.0061, 0.1718}};
  for (const auto& row : published) {
    CAPTURE(row.count);
    const Interval interval = wilson_interval(row.correct, row.count);
    CHECK(std::abs(interval.low - row.low) < 0.5e-4);
    CHECK(std::abs(interval.high - row.high) < 0.5e-4);
  }
}

TEST_CASE("Wilson's interval is symmetric and stays within 0 and 1") {
  for (int64_t count = 1; count < 40; ++count)
    for (int64_t correct = 0; correct <= count; ++correct) {
      const Interval here = wilson_interval(correct, count),
                     mirrored = wilson_interval(count - correct, count);
      CHECK(here.low == doctest::Approx(1 - mirrored.high));
      CHECK(here.low >= 0);
      CHECK(here.high <= 1);
      const double fraction = static_cast<double>(correct) / static_cast<double>(count);
      CHECK(here.low <= fraction);
      CHECK(here.high >= fraction);
    }
  CHECK(wilson_interval(0, 0).low == 0);
  CHECK(wilson_interval(0, 0).high == 1);
}
