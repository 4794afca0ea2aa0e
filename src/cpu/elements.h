// Element types of the fast loops: stored as float or bf16, computed in float.
//
// f64 has no fast path here: it is for gradient checks, and the reference computes it.
#pragma once

#include "core/backend.h"

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

/// The elements of a tensor that an op may lack: null where it is empty.
template <class T>
T* optional(const Tensor& tensor) {
  return tensor ? tensor.as<T>() : nullptr;
}

/// Cuts an op's scratch into arrays, each aligned to a cache line.
class ScratchCutter {
 public:
  explicit ScratchCutter(Scratch scratch)
      : at_(static_cast<std::byte*>(scratch.data)), left_(scratch.bytes) {}

  template <class T>
  T* take(int64_t count) {
    const size_t bytes = bytes_for<T>(count);
    require(bytes <= left_, "CpuBackend: scratch is too small");
    void* array = at_;
    at_ += bytes;
    left_ -= bytes;
    return static_cast<T*>(array);
  }
  template <class T>
  static constexpr size_t bytes_for(int64_t count) {
    return (static_cast<size_t>(count) * sizeof(T) + kLine - 1) / kLine * kLine;
  }

 private:
  static constexpr size_t kLine = 64;
  std::byte* at_;
  size_t left_;
};

}  // namespace laban::cpu
