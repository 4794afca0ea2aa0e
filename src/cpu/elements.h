// Element types of the fast loops: stored as float or bf16, computed in float.
//
// f64 has no fast path here: it is for gradient checks, and the reference computes it.
#pragma once

#include "core/scratch_cutter.h"

namespace laban::cpu {

inline float widen(float stored) { return stored; }
inline float widen(BFloat16 stored) { return static_cast<float>(stored); }

template <class T>
inline T narrow(float value) {
  return T(value);
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
