// Convolution, forward and backward.
//
//   y[n,to,ho,wo,o] = bias[o] + sum over kt,kh,kw,i of
//                     w[o,kt,kh,kw,i] * x[n, to*st - pt + kt, ho*sh - ph + kh, wo*sw - pw + kw, i]
//
// `weights_version` changes whenever the weights do: a backend may keep a packed copy for each (w.data,
// version), and should where `weights_stay`: the same op will run again before they change. `own_channels` of x and w come first, behind them zeros that pad; 0: all are its own.
#pragma once

#include "core/ops/op.h"

namespace laban {

/// Of a convolution of x to y. Counts each tensor once.
OpCost conv_cost(const Tensor& x, const Tensor& w, const Tensor& y, const Window& window,
                 int64_t own_channels = 0);

struct ConvForward {
  static constexpr std::string_view kName = "conv.forward";
  Tensor x, w, bias, y;  // bias (vector, master dtype) may be empty
  Window window;
  uint64_t weights_version = 0;
  int64_t own_channels = 0;
  bool weights_stay = true;

  void visit(auto&& f) {
    f("x", x, TensorUse::read);
    f("w", w, TensorUse::read);
    f("bias", bias, TensorUse::read);
    f("y", y, TensorUse::written);
  }
  OpCost cost() const { return conv_cost(x, w, y, window, own_channels); }
};

struct ConvBackwardData {
  static constexpr std::string_view kName = "conv.backward_data";
  Tensor dy, w, dx;
  Window window;
  uint64_t weights_version = 0;
  bool accumulate = false;  // dx += the gradient, instead of dx = it
  bool weights_stay = true;

  void visit(auto&& f) {
    f("dy", dy, TensorUse::read);
    f("w", w, TensorUse::read);
    f("dx", dx, accumulate ? TensorUse::updated : TensorUse::written);
  }
  OpCost cost() const {
    OpCost cost = conv_cost(dx, w, dy, window);
    if (accumulate) cost.gbyte += moving({dx}).gbyte;
    return cost;
  }
};

struct ConvBackwardWeights {
  static constexpr std::string_view kName = "conv.backward_weights";
  Tensor x, dy, dw, dbias;  // dw, dbias: master dtype, accumulated; dbias may be empty
  Window window;
  int64_t own_channels = 0;

  void visit(auto&& f) {
    f("x", x, TensorUse::read);
    f("dy", dy, TensorUse::read);
    f("dw", dw, TensorUse::updated);
    f("dbias", dbias, TensorUse::updated);
  }
  OpCost cost() const { return conv_cost(x, dw, dy, window, own_channels); }
};

using ConvOps = OpList<ConvForward, ConvBackwardData, ConvBackwardWeights>;

}  // namespace laban
