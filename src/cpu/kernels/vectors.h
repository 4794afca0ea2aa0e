// Vector registers as the compiler sees them, as wide as the instruction set that is compiled for has them.
#pragma once

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include <bit>
#include <cstring>
#include <type_traits>

#include "cpu/elements.h"
#include "cpu/kernels/isa_namespace.h"

namespace laban::cpu::LABAN_ISA {

// A kernel keeps kAccumulators vectors of sums in registers; the rest of the registers hold its operands.
// More would spill, fewer would leave the multiply-add units waiting for each other.
#if defined(__AVX512F__)
constexpr int kLanes = 16, kAccumulators = 24;
#elif defined(__AVX__)
constexpr int kLanes = 8, kAccumulators = 12;
#elif defined(__aarch64__)
constexpr int kLanes = 4, kAccumulators = 24;
#else
constexpr int kLanes = 4, kAccumulators = 12;
#endif
/// Vectors along the contiguous side of a register tile, at most; kAccumulators / vectors is the other side.
constexpr int kMaxTileVectors = 4;

using Vector = float __attribute__((vector_size(kLanes * sizeof(float))));
using Words = uint32_t __attribute__((vector_size(kLanes * sizeof(uint32_t))));
using Halves = uint16_t __attribute__((vector_size(kLanes * sizeof(uint16_t))));

inline Vector load(const float* from) {
  Vector v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
inline Vector load(const BFloat16* from) {
  Halves halves;
  std::memcpy(&halves, from, sizeof halves);
  return std::bit_cast<Vector>(__builtin_convertvector(halves, Words) << 16);
}
inline void store(float* to, Vector v) { std::memcpy(to, &v, sizeof v); }
inline void store(BFloat16* to, Vector v) {  // as BFloat16's constructor
  const Words u = std::bit_cast<Words>(v);
  const Words rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16, quiet = (u >> 16) | 0x40u;
  const Halves halves = __builtin_convertvector((u & 0x7fffffffu) > 0x7f800000u ? quiet : rounded, Halves);
  std::memcpy(static_cast<void*>(to), &halves, sizeof halves);
}

/// The first `count` lanes only; the others are zero.
template <class T>
Vector load_some(const T* from, int64_t count) {
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<T, float>)
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), from);
#endif
  Vector v{};
  for (int64_t i = 0; i < count; ++i) v[i] = widen(from[i]);
  return v;
}
template <class T>
void store_some(T* to, Vector v, int64_t count) {
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<T, float>)
    return _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1), v);
#endif
  for (int64_t i = 0; i < count; ++i) to[i] = narrow<T>(v[i]);
}

constexpr int64_t round_up(int64_t value, int64_t to) { return (value + to - 1) / to * to; }
constexpr int64_t div_up(int64_t value, int64_t by) { return (value + by - 1) / by; }

/// How `channels` are cut into register tiles of equal width.
struct ChannelTiles {
  int64_t count = 1;
  int vectors = 1;  // of a tile

  static constexpr ChannelTiles of(int64_t channels) {
    const int64_t all = div_up(channels, kLanes), count = div_up(all, kMaxTileVectors);
    return {count, static_cast<int>(div_up(all, count))};
  }
  constexpr int64_t width() const { return int64_t{vectors} * kLanes; }
};

/// Calls body.operator()<vectors>() with the number of vectors as a constant.
template <class Body>
void with_vectors(int vectors, Body&& body) {
  static_assert(kMaxTileVectors == 4);
  switch (vectors) {
    case 1:
      return body.template operator()<1>();
    case 2:
      return body.template operator()<2>();
    case 3:
      return body.template operator()<3>();
    default:
      return body.template operator()<4>();
  }
}

}  // namespace laban::cpu::LABAN_ISA
