// bfloat16 as a storage type: what it holds, and how it rounds.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "core/dtype.h"

using namespace laban;

namespace {

/// The bf16 nearest to `value` by search: of the two neighbors in the float's upper half the nearer one, and
/// of equally near ones that with an even last bit. Says nothing of how the conversion does it.
uint16_t nearest_by_search(float value) {
  const auto below = static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16);  // towards zero
  const auto above = static_cast<uint16_t>(below + 1);                             // away from zero
  const auto as_double = [](uint16_t bits) {
    // Infinity stands for the number that would follow the largest: rounding overflows half-way to it.
    if ((bits & 0x7fff) == 0x7f80) return bits & 0x8000 ? -0x1p128 : 0x1p128;
    return static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits) << 16));
  };
  const double to_below = std::abs(value - as_double(below)), to_above = std::abs(value - as_double(above));
  if (to_below != to_above) return to_below < to_above ? below : above;
  return below % 2 == 0 ? below : above;
}

}  // namespace

TEST_CASE("every bf16 that is a number survives the way to float and back") {
  int numbers = 0;
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    BFloat16 x;
    x.bits = static_cast<uint16_t>(bits);
    const float value = static_cast<float>(x);
    if (std::isnan(value)) {
      CHECK(std::isnan(static_cast<float>(BFloat16(value))));
      continue;
    }
    ++numbers;
    if (BFloat16(value).bits != bits)
      CHECK_MESSAGE(false, "bits ", bits, " came back as ", BFloat16(value).bits);
  }
  CHECK(numbers == 0x10000 - 2 * 127);  // all but the NaN of either sign
}

TEST_CASE("rounding is to nearest, ties to even, for every exponent and around every tie") {
  int wrong = 0;
  for (uint32_t upper = 0; upper < 0x10000; ++upper) {
    if ((upper & 0x7f80) == 0x7f80) continue;  // infinities and NaN
    for (const uint32_t lower : {0x0000u, 0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
      const float value = std::bit_cast<float>(upper << 16 | lower);
      wrong += BFloat16(value).bits != nearest_by_search(value);
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("known values") {
  CHECK(BFloat16(1.0f).bits == 0x3f80);
  CHECK(BFloat16(-2.0f).bits == 0xc000);
  CHECK(BFloat16(0.0f).bits == 0x0000);
  CHECK(BFloat16(-0.0f).bits == 0x8000);
  CHECK(BFloat16(3.14159265f).bits == 0x4049);                        // 3.140625
  CHECK(BFloat16(std::numeric_limits<float>::max()).bits == 0x7f80);  // rounds to infinity
  CHECK(BFloat16(std::numeric_limits<float>::infinity()).bits == 0x7f80);
  // A NaN whose upper half alone is infinity.
  CHECK(BFloat16(std::bit_cast<float>(0x7f800001u)).bits == 0x7fc0);
}

TEST_CASE("dtypes know their size, name and master") {
  CHECK(size_of(DType::bf16) == sizeof(BFloat16));
  CHECK(size_of(DType::f64) == 8);
  CHECK(name_of(DType::bf16) == "bf16");
  CHECK(master_of(DType::bf16) == DType::f32);
  CHECK(master_of(DType::f32) == DType::f32);
  CHECK(master_of(DType::f64) == DType::f64);
}
