// The pieces that kernels are made of: division by multiplication, windows seen from the input, moments.
#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "core/rng.h"
#include "cuda/kernels/fast_division.h"
#include "math/moments.h"
#include "math/window.h"

using namespace laban;

TEST_CASE("FastDivisor divides every number below 2^31") {
  const auto agrees = [](int64_t number, int64_t divisor) {
    const cuda::FastDivisor by(divisor);
    int quotient = static_cast<int>(number);
    const int remainder = by.split(quotient);
    return quotient == number / divisor && remainder == number % divisor;
  };
  bool right = true;
  for (int64_t divisor = 1; divisor <= 300; ++divisor)
    for (int64_t number = 0; number <= 2000; ++number) right = right && agrees(number, divisor);
  // Where errors would be: next to multiples, up to the largest number; divisors around powers of two.
  Rng rng(1, Purpose::test);
  for (int i = 0; i < 200000; ++i) {
    const int64_t divisor =
        i % 3 == 0 ? std::max<int64_t>(1, (int64_t{1} << rng.integer(0, 30)) + rng.integer(-1, 1))
                   : rng.integer(1, INT32_MAX >> rng.integer(0, 30));
    const int64_t multiple = INT32_MAX / divisor - rng.integer(0, 2);
    for (const int64_t number :
         {multiple * divisor - 1, multiple * divisor, multiple * divisor + 1, int64_t{INT32_MAX}})
      if (number >= 0 && number <= INT32_MAX) right = right && agrees(number, divisor);
  }
  CHECK(right);
}

TEST_CASE("outputs_seeing and output_through are two views of one relation") {
  bool right = true;
  for (int kernel = 1; kernel <= 4; ++kernel)
    for (int stride = 1; stride <= 4; ++stride)
      for (int padding = 0; padding < kernel; ++padding)
        for (int inputs = kernel; inputs <= 9; ++inputs) {
          const int outputs = (inputs + 2 * padding - kernel) / stride + 1;
          for (int input = 0; input < inputs; ++input) {
            const auto range = outputs_seeing(input, kernel, stride, padding, outputs);
            for (int output = 0; output < outputs; ++output) {
              bool seen = false;
              for (int tap = 0; tap < kernel; ++tap)
                seen = seen || output_through(tap, input, stride, padding, outputs) == output;
              right = right && seen == (range.begin <= output && output < range.end);
            }
          }
        }
  CHECK(right);
}

TEST_CASE("Moments: merged pieces are the whole") {
  Rng rng(2, Purpose::test);
  std::vector<double> values(1000);
  for (double& value : values) value = 1e6 + rng.normal();
  double mean = 0, m2 = 0;
  for (const double value : values) mean += value / 1000;
  for (const double value : values) m2 += (value - mean) * (value - mean);

  Moments<double> all;
  for (size_t begin = 0; begin < values.size();) {
    const size_t end = std::min(values.size(), begin + static_cast<size_t>(rng.integer(0, 50)));
    Moments<double> piece;
    for (; begin < end; ++begin) piece.merge({1, values[begin], 0});
    all.merge(piece);
  }
  CHECK(all.count == 1000);
  CHECK(all.mean == doctest::Approx(mean).epsilon(1e-14));
  CHECK(all.m2 == doctest::Approx(m2).epsilon(1e-9));
}
