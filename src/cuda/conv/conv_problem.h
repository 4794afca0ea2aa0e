// Which convolution, in which arithmetic.
#pragma once

#include <array>
#include <compare>
#include <ostream>
#include <string_view>

#include "core/conv_geometry.h"
#include "cuda/math_mode.h"

namespace laban::cuda {

enum class ConvPass : uint8_t { forward, data, weights };

std::string_view name_of(ConvPass pass);

/// What the same kernel does with a convolution's result.
enum class ConvEpilogue : uint8_t {
  none,
  /// weights: added to dw, in f32. For bf16 a fused addition: cuDNN has no other way to an f32 dw.
  /// data: added to dx.
  accumulate,
};

struct ConvProblem {
  ConvPass pass = ConvPass::forward;
  ConvGeometry geometry;  // 2-D where it is planar: fold it first
  MathMode math = MathMode::f32;
  ConvEpilogue epilogue = ConvEpilogue::none;
  bool deterministic = true;  // the same bits in every run

  friend bool operator==(const ConvProblem&, const ConvProblem&) = default;
  friend bool operator<(const ConvProblem& a, const ConvProblem& b) { return a.key() < b.key(); }
  std::array<int64_t, 23> key() const;
};
/// "weights 8x16x56x56x64 -> 8x8x28x28x128, 3x3x3 s2x2x2 p1x1x1, bf16, accumulate, deterministic": for
/// errors, and the key in a plan file.
std::ostream& operator<<(std::ostream& out, const ConvProblem& problem);

/// Whether a convolution that accumulates adds by itself, result = product + beta * result: where the result
/// has its operands' type. Not bf16 gradients of weights, which go to f32.
bool adds_by_itself(const ConvProblem& problem);

}  // namespace laban::cuda
