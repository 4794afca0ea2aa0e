// IEEE half precision as a storage type: what files hold. Arithmetic happens in float.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace laban {

/// 5 exponent bits, 10 fraction bits: 6e-8 to 65504.
struct Float16 {
  uint16_t bits = 0;

  Float16() = default;
  /// Rounds to nearest, ties to even; from 65520 on infinite; NaN stays NaN (quiet).
  explicit Float16(float value) {
    const uint32_t u = std::bit_cast<uint32_t>(value);
    const uint32_t sign = (u >> 16) & 0x8000u, magnitude = u & 0x7fffffffu;
    uint32_t half = 0;
    if (magnitude > 0x7f800000u) {
      half = 0x7e00u | ((magnitude >> 13) & 0x3ffu);
    } else if (magnitude >= 0x477ff000u) {
      half = 0x7c00u;
    } else if (magnitude >= 0x38800000u) {  // 2^-14, the smallest normal half
      const uint32_t rebiased = magnitude - (112u << 23);
      half = (rebiased + 0xfffu + ((rebiased >> 13) & 1u)) >> 13;
    } else {  // subnormal: so many times 2^-24
      half = static_cast<uint32_t>(std::nearbyint(std::bit_cast<float>(magnitude) * 0x1p24f));
    }
    bits = static_cast<uint16_t>(sign | half);
  }
  explicit operator float() const {
    const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
    const uint32_t exponent = (bits >> 10) & 31u, fraction = bits & 0x3ffu;
    if (exponent == 0) {
      const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
      return sign ? -magnitude : magnitude;
    }
    const uint32_t wide = exponent == 31 ? 255u : exponent + 112u;
    return std::bit_cast<float>(sign | (wide << 23) | (fraction << 13));
  }
};
static_assert(sizeof(Float16) == 2);

}  // namespace laban
