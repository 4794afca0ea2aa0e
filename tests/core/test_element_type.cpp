// Halves against their definition, and every element type through decode and encode.
#include "core/element_type.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/float16.h"

using namespace laban;

namespace {

/// IEEE 754 on paper: sign, 5 bits of exponent with bias 15, 10 bits of fraction.
double half_by_definition(uint16_t bits) {
  const double sign = bits & 0x8000 ? -1 : 1;
  const int exponent = (bits >> 10) & 31;
  const double fraction = static_cast<double>(bits & 1023) / 1024;
  if (exponent == 31) return fraction == 0 ? sign * INFINITY : NAN;
  if (exponent == 0) return sign * fraction * std::pow(2.0, -14);
  return sign * (1 + fraction) * std::pow(2.0, exponent - 15);
}

Float16 half_of_bits(uint32_t bits) {
  Float16 half;
  half.bits = static_cast<uint16_t>(bits);
  return half;
}

}  // namespace

TEST_CASE("every half is the number that IEEE 754 says, and comes back as itself") {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const Float16 half = half_of_bits(bits);
    const auto wide = static_cast<float>(half);
    const double want = half_by_definition(half.bits);
    if (std::isnan(want)) {
      REQUIRE(std::isnan(wide));
      REQUIRE(std::isnan(static_cast<float>(Float16(wide))));
      continue;
    }
    REQUIRE(static_cast<double>(wide) == want);
    REQUIRE(std::signbit(wide) == std::signbit(want));
    REQUIRE(Float16(wide).bits == half.bits);
  }
}

TEST_CASE("floats become the nearest half, ties the even one") {
  for (uint32_t bits = 0; bits < 0x7c00; ++bits) {
    const auto low = static_cast<double>(static_cast<float>(half_of_bits(bits)));
    // Beyond the largest half the next step would be 65536.
    const double high =
        bits == 0x7bff ? 65536 : static_cast<double>(static_cast<float>(half_of_bits(bits + 1)));
    const auto middle = static_cast<float>((low + high) / 2);  // exact: one bit more than a half has
    REQUIRE(Float16(middle).bits == (bits % 2 == 0 ? bits : bits + 1));
    REQUIRE(Float16(std::nextafter(middle, 0.0f)).bits == bits);
    REQUIRE(Float16(std::nextafter(middle, INFINITY)).bits == bits + 1);
    REQUIRE(Float16(-std::nextafter(middle, INFINITY)).bits == (bits + 1) + 0x8000);
  }
  CHECK(Float16(1e30f).bits == 0x7c00);
  CHECK(Float16(std::numeric_limits<float>::denorm_min()).bits == 0);
}

TEST_CASE("element types know their names and sizes, and widen what lies unaligned") {
  for (const char* name : {"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "I64", "I32", "I16", "I8",
                           "U64", "U32", "U16", "U8", "BOOL"}) {
    const auto type = element_type_named(name);
    REQUIRE(type.has_value());
    CHECK(name_of(*type) == name);
  }
  CHECK(!element_type_named("C64"));
  CHECK(element_type_of(DType::bf16) == ElementType::bf16);
  CHECK(is_floating(ElementType::f16));
  CHECK(!is_floating(ElementType::i64));

  const auto round_trip = [](ElementType type, double value) {
    std::vector<std::byte> bytes(size_of(type) + 1);
    encode(type, std::vector<double>{value}, bytes.data() + 1);
    std::vector<double> back(1);
    decode(type, bytes.data() + 1, back);
    return back[0];
  };
  CHECK(round_trip(ElementType::f64, 0.1) == 0.1);
  CHECK(round_trip(ElementType::f32, 0.1) == static_cast<double>(0.1f));
  CHECK(round_trip(ElementType::f16, 0.1) == 0.0999755859375);
  CHECK(round_trip(ElementType::bf16, 0.1) == 0.10009765625);
  const auto narrow = [](auto value, ElementType type) {
    std::vector<std::byte> bytes(sizeof(value) + 1);
    std::memcpy(bytes.data() + 1, &value, sizeof(value));
    std::vector<int64_t> whole(1);
    std::vector<double> wide(1);
    decode(type, bytes.data() + 1, whole);
    decode(type, bytes.data() + 1, wide);
    CHECK(static_cast<double>(whole[0]) == wide[0]);
    return whole[0];
  };
  CHECK(narrow(int64_t{-5'000'000'000}, ElementType::i64) == -5'000'000'000);
  CHECK(narrow(int32_t{-70'000}, ElementType::i32) == -70'000);
  CHECK(narrow(int16_t{-300}, ElementType::i16) == -300);
  CHECK(narrow(int8_t{-3}, ElementType::i8) == -3);
  CHECK(narrow(uint64_t{5'000'000'000}, ElementType::u64) == 5'000'000'000);
  CHECK(narrow(uint32_t{4'000'000'000}, ElementType::u32) == 4'000'000'000);
  CHECK(narrow(uint16_t{65'535}, ElementType::u16) == 65'535);
  CHECK(narrow(uint8_t{255}, ElementType::u8) == 255);
  CHECK(narrow(uint8_t{1}, ElementType::boolean) == 1);
}
