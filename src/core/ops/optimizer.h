// Optimizer steps and what goes with them, on the flat parameter arena.
#pragma once

#include <span>

#include "core/ops/op.h"
#include "core/ops/parameter_segment.h"

namespace laban {

/// What all optimizers take. What changes from step to step lies in the backend's memory, so that a captured
/// CUDA graph can read it: control[0] = learning rate, control[1] = step number (from 1).
///
/// Gradient clipping: where max_norm > 0, gradients are scaled by min(1, max_norm / (sqrt(*norm_squared) +
/// 1e-6)). Where there is a norm and it is not finite, the step leaves everything as it is: a NaN must not
/// reach the weights, and to look at the norm first would make the host wait for the device.
struct OptimizerCommon {
  Tensor weights, grads;  // flat, master dtype
  Tensor working;         // flat bf16 copy to write as well; may be empty
  Tensor control;         // f64 vector of 2
  Tensor norm_squared;    // f64 scalar (SumOfSquares of grads); empty: no clipping, no guard
  double max_norm = 0;
  std::span<const ParameterSegment> segments;

  void visit(auto&& f) {
    f("grads", grads, TensorUse::read);
    f("control", control, TensorUse::read);
    f("norm_squared", norm_squared, TensorUse::read);
    f("weights", weights, TensorUse::updated);
    f("working", working, TensorUse::updated);  // of all segments; between them it stays
  }
};

/// PyTorch's SGD:
///
///   g += weight_decay*w
///   v = momentum*v + g        (v = g on step 1)
///   d = nesterov ? g + momentum*v : v
///   w -= lr*d
struct SgdStep {
  static constexpr std::string_view kName = "sgd";
  OptimizerCommon common;
  Tensor velocity;
  double momentum = 0;
  bool nesterov = false;

  void visit(auto&& f) {
    common.visit(f);
    f("velocity", velocity, TensorUse::updated);
  }
  OpCost cost() const {
    return moving({common.weights, common.weights, common.grads, common.working, velocity, velocity});
  }
};

/// PyTorch's Adam / AdamW. AdamW (decoupled) first w *= 1 - lr*weight_decay; Adam adds weight_decay*w to g.
///
///   m = b1*m + (1-b1)*g
///   v = b2*v + (1-b2)*g^2
///   w -= lr * (m/(1-b1^t)) / (sqrt(v/(1-b2^t)) + eps)
struct AdamStep {
  static constexpr std::string_view kName = "adam";
  OptimizerCommon common;
  Tensor m, v;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  bool decoupled = false;

  void visit(auto&& f) {
    common.visit(f);
    f("m", m, TensorUse::updated);
    f("v", v, TensorUse::updated);
  }
  OpCost cost() const {
    return moving({common.weights, common.weights, common.grads, common.working, m, m, v, v});
  }
};

/// average += (1 - decay) * (values - average): math/moving_average.h. Both flat, of one master dtype.
struct MovingAverage {
  static constexpr std::string_view kName = "moving_average";
  Tensor average, values;
  double decay = 0.999;

  void visit(auto&& f) {
    f("values", values, TensorUse::read);
    f("average", average, TensorUse::updated);
  }
  OpCost cost() const { return moving({average, average, values}); }
};

struct SumOfSquares {
  static constexpr std::string_view kName = "sum_of_squares";
  Tensor x, result;  // result: f64 scalar, overwritten

  void visit(auto&& f) {
    f("x", x, TensorUse::read);
    f("result", result, TensorUse::written);
  }
  OpCost cost() const { return moving({x}); }
};

using OptimizerOps = OpList<SgdStep, AdamStep, MovingAverage, SumOfSquares>;

}  // namespace laban
