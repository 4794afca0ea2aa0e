// A convolution and the batch norm behind it, with given statistics, in one op: evaluation, and training below
// the lowest layer that learns.
//
//   z = gamma * (conv(x) - running_mean) * inv_std + beta (+ residual)
//   y = relu ? max(z, 0) : z
//
// What the convolution yields need not be stored: a backend may normalize it while it is at hand.
#pragma once

#include "core/ops/batch_norm.h"
#include "core/ops/conv.h"

namespace laban {

struct ConvBatchNorm {
  static constexpr std::string_view kName = "conv.batch_norm";
  Tensor x, w, bias, residual, y;  // bias, residual may be empty
  Tensor gamma = {}, beta = {}, running_mean = {}, running_var = {};
  Window window;
  bool relu = false;
  double eps = 1e-5;
  uint64_t weights_version = 0;
  int64_t own_channels = 0;
  bool weights_stay = true;

  void visit(auto&& f) {
    f("x", x, TensorUse::read);
    f("w", w, TensorUse::read);
    f("bias", bias, TensorUse::read);
    f("residual", residual, TensorUse::read);
    f("gamma", gamma, TensorUse::read);
    f("beta", beta, TensorUse::read);
    f("running_mean", running_mean, TensorUse::read);
    f("running_var", running_var, TensorUse::read);
    f("y", y, TensorUse::written);
  }
  OpCost cost() const {
    OpCost cost = conv_cost(x, w, y, window, own_channels);
    cost.gbyte += moving({residual}).gbyte;
    return cost;
  }

  /// The two ops that it stands for. The second works in place: its x and y are both y.
  ConvForward convolution() const {
    return {.x = x,
            .w = w,
            .bias = bias,
            .y = y,
            .window = window,
            .weights_version = weights_version,
            .own_channels = own_channels,
            .weights_stay = weights_stay};
  }
  BatchNormInfer normalization() const {
    return {.x = y,
            .residual = residual,
            .y = y,
            .gamma = gamma,
            .beta = beta,
            .running_mean = running_mean,
            .running_var = running_var,
            .relu = relu,
            .eps = eps};
  }
};

using ConvBatchNormOps = OpList<ConvBatchNorm>;

}  // namespace laban
