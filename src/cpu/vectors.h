// Vector registers as the compiler sees them, for the few kernels that are written in terms of them.
#pragma once

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include <cstring>
#include <type_traits>

#include "cpu/elements.h"

namespace laban::cpu {

// A kernel keeps kAccumulators vectors of sums in registers; the rest of the registers hold its operands.
// More would spill, fewer would leave the multiply-add units waiting for each other.
#if defined(__AVX512F__)
constexpr int kLanes = 16, kAccumulators = 24;
#elif defined(__AVX__)
constexpr int kLanes = 8, kAccumulators = 12;
#else
constexpr int kLanes = 4, kAccumulators = 12;
#endif
/// Vectors along the contiguous side of a register tile, at most; kAccumulators / vectors is the other side.
constexpr int kMaxTileVectors = 4;

using Vector = float __attribute__((vector_size(kLanes * sizeof(float))));

inline Vector load(const float* from) {
  Vector v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
inline Vector load(const BFloat16* from) {
  Vector v;
  for (int i = 0; i < kLanes; ++i) v[i] = widen(from[i]);
  return v;
}
inline void store(float* to, Vector v) { std::memcpy(to, &v, sizeof v); }
inline void store(BFloat16* to, Vector v) {
  for (int i = 0; i < kLanes; ++i) to[i] = narrow<BFloat16>(v[i]);
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

}  // namespace laban::cpu
