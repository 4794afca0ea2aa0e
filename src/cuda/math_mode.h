// What matrix products and convolutions compute in.
#pragma once

#include <string_view>

#include "core/dtype.h"

namespace laban::cuda {

/// What is stored, and what the multiplications are done in. Sums are f32 in all three.
enum class MathMode : uint8_t {
  f32,   // f32, multiplied as f32: no tensor cores
  tf32,  // f32, rounded to 10 bits of fraction before the multiplication
  bf16,
};

constexpr std::string_view name_of(MathMode mode) {
  switch (mode) {
    case MathMode::f32:
      return "f32";
    case MathMode::tf32:
      return "tf32";
    case MathMode::bf16:
      break;
  }
  return "bf16";
}
constexpr DType storage_of(MathMode mode) { return mode == MathMode::bf16 ? DType::bf16 : DType::f32; }
/// For tensors of type `storage`; `tf32`: whether f32 may be rounded so.
constexpr MathMode math_mode(DType storage, bool tf32) {
  if (storage == DType::bf16) return MathMode::bf16;
  return tf32 ? MathMode::tf32 : MathMode::f32;
}

}  // namespace laban::cuda
