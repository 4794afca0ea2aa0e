// Gradient checks: are the hand-written backward passes the derivatives of the forward passes?
//
// A case is a layer with an input. With a fixed random cotangent r the scalar phi(x, theta) = sum_i r_i y_i
// has the gradient that backward(r) returns. It is compared with the five-point difference quotient
//
//   phi'(0) = (8 (phi(h) - phi(-h)) - (phi(2h) - phi(-2h))) / 12h  +  h^4/30 phi^(5)
//
// in f64, for every element of the input and of every parameter (layers) or along random directions (whole
// models, where the objective is the loss). Steps that would cross a kink are shrunk until they do not
// (kink_watch.h). The arenas are poisoned, and gradients start from a constant, to catch ops that fail to
// accumulate.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "layers/layer.h"
#include "models/model_spec.h"

namespace laban {

struct GradcheckCase {
  std::string layer;    // "conv3d", or a model's name
  std::string variant;  // "3x3x3, stride 2x1x2, bias"
  std::function<std::unique_ptr<Layer>()> make;
  Shape input;
  Mode mode = Mode::train;
  bool is_loss = false;  // y is a loss: r = 1
  int directions = 0;    // 0: every element; else the number of random directions per tensor
};

struct GradcheckRow {
  std::string layer, variant;
  std::string tensor;   // "input" or a parameter's name
  int64_t checked = 0;  // elements or directions
  int64_t kinked = 0;   // those with a kink within even the smallest step; must be 0
  double rms = 0;       // of the gradient
  double error = 0;     // the largest |difference| / rms; for directions |difference| / norm of the gradient
  double tolerance = 0;
  /// Where the error is largest: "n 0, c 3, t 1, h 2, w 2", or "direction 1"; and what was compared there.
  std::string where;
  double backward = 0, expected = 0;
  int layers = 1;          // without parts of their own, of which the case is made
  int64_t input_size = 0;  // elements
  bool pass() const { return kinked == 0 && error <= tolerance; }  // a NaN fails
};

/// One or more cases for every layer, including the loss, in reading order.
const std::vector<GradcheckCase>& gradcheck_layer_cases();
/// A small member of every family: r3d, mc3, r2plus1d, with bottlenecks, with a max-pooled stem and shortcut
/// A.
const std::vector<GradcheckCase>& gradcheck_model_cases();
/// A case for any model.
GradcheckCase gradcheck_case(const ModelSpec& spec, const Shape& clips, int directions);

/// Of rows that fail, the one to look at first: the smallest layer that fails by itself, as what contains it
/// fails with it. Null where all pass.
const GradcheckRow* smallest_failure(const std::vector<GradcheckRow>& rows);

/// Compares backward with difference quotients, both computed by `backend` in f64 (host memory).
std::vector<GradcheckRow> gradcheck(Backend& backend, const GradcheckCase& check, uint64_t seed = 1);
inline constexpr double kLayerTolerance = 1e-8, kModelTolerance = 1e-7;

/// Compares backward by `backend` in `compute` with backward by `reference` in f64, at the same weights and
/// inputs (both exact in f32). The error is |difference| / rms: the largest one for layers, the rms of all
/// for models. If rounding moves an activation across a kink, other inputs are drawn.
std::vector<GradcheckRow> compare_gradients(Backend& reference, Backend& backend, const GradcheckCase& check,
                                            uint64_t seed = 1);
inline constexpr double kCompareTolerance = 1e-4;

}  // namespace laban
