// Which elements dropout keeps: a pure function of (seed, stream, element), so that backward recomputes the
// mask instead of storing it. Element i uses word i % 4 of the block for i / 4.
#pragma once

#include <cstdint>

#include "math/hd.h"
#include "math/philox.h"

namespace laban {

/// A step's stream of masks: hashed, so that those of any two pairs (stream, step) are far apart.
LABAN_HD constexpr uint64_t dropout_stream(uint64_t seed, uint64_t stream, uint64_t step) {
  const PhiloxBlock mixed = philox({{static_cast<uint32_t>(step), static_cast<uint32_t>(step >> 32),
                                     static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)}},
                                   ~seed);
  return mixed[0] | (uint64_t{mixed[1]} << 32);
}

/// Random words for elements 4*group .. 4*group + 3.
LABAN_HD constexpr PhiloxBlock dropout_words(int64_t group, uint64_t seed, uint64_t stream) {
  const uint64_t g = static_cast<uint64_t>(group);
  return philox({{static_cast<uint32_t>(g), static_cast<uint32_t>(g >> 32), static_cast<uint32_t>(stream),
                  static_cast<uint32_t>(stream >> 32)}},
                seed);
}

/// Kept with probability 1 - p. Computed in double, where word * 2^-32 is exact, so all backends agree on
/// every mask.
LABAN_HD constexpr bool dropout_keeps(uint32_t word, double p) {
  return static_cast<double>(word) * 0x1.0p-32 >= p;
}

/// Kept values are scaled by 1/(1-p), so that the expected value is unchanged.
template <class Real>
LABAN_HD constexpr Real dropout(Real x, uint32_t word, double p) {
  return dropout_keeps(word, p) ? x / static_cast<Real>(1.0 - p) : Real(0);
}

}  // namespace laban
