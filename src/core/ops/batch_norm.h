// Batch normalization (+ residual add) (+ ReLU), fused.
//
//   xhat = (x - mean) * inv_std
//   z = gamma*xhat + beta (+ residual)
//   y = relu ? max(z, 0) : z
//
// Statistics are per channel over n,t,h,w; inv_std = 1/sqrt(biased variance + eps).
//
//   running = (1-momentum)*running + momentum*batch
//
// where the running variance comes from the UNBIASED batch variance (PyTorch's convention; with a single value
// per channel the biased one is used).
#pragma once

#include "core/ops/op.h"

namespace laban {

struct BatchNormTrain {
  static constexpr std::string_view kName = "batch_norm.train";
  Tensor x, residual, y;             // residual may be empty
  Tensor gamma, beta;                // vectors
  Tensor mean, inv_std;              // out: saved for backward
  Tensor running_mean, running_var;  // updated; both empty: not tracked
  bool relu = false;
  double momentum = 0.1, eps = 1e-5;

  void visit(auto&& f) {
    f("x", x, TensorUse::read);
    f("residual", residual, TensorUse::read);
    f("gamma", gamma, TensorUse::read);
    f("beta", beta, TensorUse::read);
    f("y", y, TensorUse::written);
    f("mean", mean, TensorUse::written);
    f("inv_std", inv_std, TensorUse::written);
    f("running_mean", running_mean, TensorUse::updated);
    f("running_var", running_var, TensorUse::updated);
  }
  /// All of the input must be seen before the first output can be written: twice the reading.
  OpCost cost() const { return moving({x, x, residual, y}, x.shape); }
};

struct BatchNormInfer {
  static constexpr std::string_view kName = "batch_norm.infer";
  Tensor x, residual, y;
  Tensor gamma, beta, running_mean, running_var;
  bool relu = false;
  double eps = 1e-5;

  void visit(auto&& f) {
    f("x", x, TensorUse::read);
    f("residual", residual, TensorUse::read);
    f("gamma", gamma, TensorUse::read);
    f("beta", beta, TensorUse::read);
    f("running_mean", running_mean, TensorUse::read);
    f("running_var", running_var, TensorUse::read);
    f("y", y, TensorUse::written);
  }
  OpCost cost() const { return moving({x, residual, y}, x.shape); }
};

///   g = relu ? dy * (y > 0) : dy
///   dresidual = g
///   dbeta += sum g
///   dgamma += sum g*xhat
///   dx = gamma*inv_std * (g - mean(g) - xhat*mean(g*xhat))   with the batch's statistics
///   dx = gamma*inv_std * g                                   with frozen ones
struct BatchNormBackward {
  static constexpr std::string_view kName = "batch_norm.backward";
  Tensor x, y, dy, dx;  // y is needed only where relu
  Tensor dresidual;     // may be empty; may share memory with dy (in place); never with dx
  Tensor gamma, mean, inv_std, dgamma, dbeta;
  /// Where y came from x alone (no residual) by BatchNormTrain: its beta. A backend may then tell y > 0 from
  /// x, which it reads anyway, and leave y unread. Else empty.
  Tensor beta;
  bool relu = false;
  bool frozen = false;  // mean and inv_std were constants (running statistics)

  void visit(auto&& f) {
    f("x", x, TensorUse::read);
    f("y", y, TensorUse::read);
    f("dy", dy, TensorUse::read);
    f("gamma", gamma, TensorUse::read);
    f("mean", mean, TensorUse::read);
    f("inv_std", inv_std, TensorUse::read);
    f("beta", beta, TensorUse::read);
    f("dx", dx, TensorUse::written);
    f("dresidual", dresidual, TensorUse::written);
    f("dgamma", dgamma, TensorUse::updated);
    f("dbeta", dbeta, TensorUse::updated);
  }
  OpCost cost() const {
    const Tensor mask = relu && !beta ? y : Tensor();
    OpCost cost = moving({x, x, dy, mask, dx}, x.shape);
    // The second pass needs the gradient behind the ReLU: from dresidual where the first has left it there.
    cost.gbyte += dresidual ? moving({dresidual, dresidual}).gbyte : moving({dy, mask}).gbyte;
    return cost;
  }
};

/// inv_std = 1/sqrt(variance + eps): for backward through frozen statistics.
struct InverseStd {
  static constexpr std::string_view kName = "inverse_std";
  Tensor variance, inv_std;
  double eps = 1e-5;

  void visit(auto&& f) {
    f("variance", variance, TensorUse::read);
    f("inv_std", inv_std, TensorUse::written);
  }
  OpCost cost() const { return {}; }
};

using BatchNormOps = OpList<BatchNormTrain, BatchNormInfer, BatchNormBackward, InverseStd>;

}  // namespace laban
