// Element types of the fast loops: stored as float or bf16, computed in float.
//
// f64 has no fast path here: it is for gradient checks, and the reference computes it.
#pragma once

#include <bit>
#include <type_traits>

#include "core/scratch_cutter.h"

namespace laban::cpu {

inline float widen(float stored) { return stored; }
inline float widen(BFloat16 stored) { return static_cast<float>(stored); }

template <class T>
inline T narrow(float value) {
  return T(value);
}

/// first ? a : b, by masks: of loops with a conditional expression over memory, GCC often makes no vectors.
template <class T>
inline T choose(bool first, T a, T b) {
  static_assert(sizeof(T) <= 2 || sizeof(T) == 4);
  using Bits =
      std::conditional_t<sizeof(T) == 4, uint32_t, std::conditional_t<sizeof(T) == 2, uint16_t, uint8_t>>;
  const Bits mask = first ? static_cast<Bits>(-1) : Bits{0};
  return std::bit_cast<T>(
      static_cast<Bits>((std::bit_cast<Bits>(a) & mask) | (std::bit_cast<Bits>(b) & ~mask)));
}

/// Calls body.operator()<T>() with T = float or BFloat16, as `dtype` says.
template <class Body>
void with_type(DType dtype, Body&& body) {
  if (dtype == DType::f32) return body.template operator()<float>();
  require(dtype == DType::bf16, "CpuBackend: an activation must be f64, f32 or bf16");
  body.template operator()<BFloat16>();
}

/// Pieces of scratch that begin at a cache line.
using ScratchCutter = AlignedCutter<64>;

}  // namespace laban::cpu
