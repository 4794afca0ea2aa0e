// The loss: softmax and cross-entropy in one, with label smoothing as PyTorch's.
//
//   p = softmax(z)        q = (1 - e) onehot(label) + e / K        loss[n] = - sum_k q_k log p_k
//   d(scale * sum_n loss[n]) / dz = scale * (p - q)
//
// Derived in docs/layers/softmax_cross_entropy.md.
#pragma once

#include "core/step_context.h"

namespace laban {

class SoftmaxCrossEntropyLoss {
 public:
  /// `logits`: n x classes, master dtype. `labels`: i32 vector of n, each in [0, classes) (the caller sees to
  /// it). Returns the loss of each sample. `scale` multiplies the gradient only: 1 / (batch * micro-batches).
  Value forward(StepContext& ctx, const Value& logits, const Value& labels, double smoothing, double scale);
  /// The gradient with respect to the logits, as forward has computed it along the way. std::logic_error
  /// without one.
  Value backward();
  void forget() { dlogits_.reset(); }

 private:
  Value dlogits_;  // n x classes
};

}  // namespace laban
