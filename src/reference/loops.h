// What the reference's loops have in common: element types, conversion on load and store, sums over contiguous
// runs.
#pragma once

#include <type_traits>

#include "reference/ops.h"

namespace laban::reference {

/// The master type that goes with activations of type T: master_of() for types.
template <class T>
using MasterOf = std::conditional_t<std::is_same_v<T, double>, double, float>;

template <class T>
inline double load(T stored) {
  if constexpr (std::is_same_v<T, BFloat16>)
    return static_cast<float>(stored);
  else
    return stored;
}
/// Rounds to nearest; to bf16 by way of float.
template <class T>
inline T rounded_to(double value) {
  if constexpr (std::is_same_v<T, BFloat16>)
    return BFloat16(static_cast<float>(value));
  else
    return static_cast<T>(value);
}
template <class T>
inline void store(T& place, double value) {
  place = rounded_to<T>(value);
}
template <class T>
inline void add(T& place, double value) {
  place = rounded_to<T>(load(place) + value);
}

/// Calls body.operator()<T>() with T = double, float or BFloat16, as `dtype` says.
template <class Body>
void with_float_type(DType dtype, Body&& body) {
  switch (dtype) {
    case DType::f64:
      return body.template operator()<double>();
    case DType::f32:
      return body.template operator()<float>();
    case DType::bf16:
      return body.template operator()<BFloat16>();
    default:
      require(false, "ReferenceBackend: an activation must be f64, f32 or bf16");
  }
}
/// The same for tensors that are kept in a master type: double or float.
template <class Body>
void with_master_type(DType dtype, Body&& body) {
  switch (dtype) {
    case DType::f64:
      return body.template operator()<double>();
    case DType::f32:
      return body.template operator()<float>();
    default:
      require(false, "ReferenceBackend: a parameter, statistic or loss must be f64 or f32");
  }
}

/// sum_i a[i]*b[i]. Eight partial sums, so that the compiler may use a vector register without reordering
/// anything.
template <class A, class B>
inline double dot(const A* a, const B* b, int64_t n) {
  constexpr int kLanes = 8;
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int lane = 0; lane < kLanes; ++lane) lanes[lane] += load(a[i + lane]) * load(b[i + lane]);
  double sum = 0;
  for (; i < n; ++i) sum += load(a[i]) * load(b[i]);
  for (const double lane : lanes) sum += lane;
  return sum;
}

/// sum[i] += factor * a[i]
template <class A>
inline void add_scaled(double* sum, double factor, const A* a, int64_t n) {
  for (int64_t i = 0; i < n; ++i) sum[i] += factor * load(a[i]);
}

/// The op's scratch as `count` accumulators, set to zero.
inline double* zeroed_accumulators(Scratch scratch, int64_t count) {
  require(scratch.bytes >= static_cast<size_t>(count) * sizeof(double),
          "ReferenceBackend: scratch is too small");
  double* sums = static_cast<double*>(scratch.data);
  for (int64_t i = 0; i < count; ++i) sums[i] = 0;
  return sums;
}
constexpr size_t accumulator_bytes(int64_t count) { return static_cast<size_t>(count) * sizeof(double); }

}  // namespace laban::reference
