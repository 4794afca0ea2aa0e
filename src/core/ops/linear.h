// Linear layers. x: n x in, compute dtype; w: out x in; y and dy: n x out, master dtype.
#pragma once

#include "core/ops/op.h"

namespace laban {

/// Of an op that multiplies x, or what has its shape, by w, or the other way around.
OpCost linear_cost(std::initializer_list<Tensor> moved, const Shape& x, const Shape& w);

/// y = x w^T + bias
struct LinearForward {
  static constexpr std::string_view kName = "linear.forward";
  Tensor x, w, bias, y;

  void visit(auto&& f) {
    f("x", x, TensorUse::read);
    f("w", w, TensorUse::read);
    f("bias", bias, TensorUse::read);
    f("y", y, TensorUse::written);
  }
  OpCost cost() const { return linear_cost({x, w, y}, x.shape, w.shape); }
};

/// dx = dy w, in compute dtype
struct LinearBackwardData {
  static constexpr std::string_view kName = "linear.backward_data";
  Tensor dy, w, dx;

  void visit(auto&& f) {
    f("dy", dy, TensorUse::read);
    f("w", w, TensorUse::read);
    f("dx", dx, TensorUse::written);
  }
  OpCost cost() const { return linear_cost({dy, w, dx}, dx.shape, w.shape); }
};

/// dw += dy^T x; dbias += column sums of dy
struct LinearBackwardWeights {
  static constexpr std::string_view kName = "linear.backward_weights";
  Tensor x, dy, dw, dbias;

  void visit(auto&& f) {
    f("x", x, TensorUse::read);
    f("dy", dy, TensorUse::read);
    f("dw", dw, TensorUse::updated);
    f("dbias", dbias, TensorUse::updated);
  }
  OpCost cost() const { return linear_cost({x, dy, dw, dw}, x.shape, dw.shape); }
};

using LinearOps = OpList<LinearForward, LinearBackwardData, LinearBackwardWeights>;

}  // namespace laban
