// The loss: softmax and cross-entropy in one, with label smoothing as in PyTorch.
//
//   p = softmax(z)        q = (1 - e) onehot(label) + e / K        loss[n] = - sum_k q_k log p_k
//   for a mixed clip: s onehot(label) + (1 - s) onehot(other label) instead of onehot(label)
//   d(scale * sum_n loss[n]) / dz = scale * (p - q)
//   with class weights w: q_k w_k instead of q_k, and p sum_k q_k w_k instead of p
//
// Derived in docs/layers/softmax_cross_entropy.md.
#pragma once

#include "core/step_context.h"

namespace laban {

/// The targets of each clip. For mixed clips, two classes and the fraction of the first.
struct Targets {
  Value labels;                  // i32 vector of n, each in [0, classes), which the caller ensures
  Value other_labels, fraction;  // i32 and master dtype, vectors of n; both empty if nothing is mixed
  Value class_weights = {};      // master dtype, a vector of classes; empty: all 1
};

class SoftmaxCrossEntropyLoss {
 public:
  /// `logits`: n x classes, master dtype. Returns the loss of each sample. `scale` multiplies the gradient
  /// only: 1 / (batch * micro-batches).
  Value forward(StepContext& ctx, const Value& logits, const Targets& targets, double smoothing,
                double scale);
  Value forward(StepContext& ctx, const Value& logits, const Value& labels, double smoothing, double scale) {
    return forward(ctx, logits, {labels, {}, {}}, smoothing, scale);
  }
  /// The gradient with respect to the logits, which forward has already computed. std::logic_error without a
  /// forward.
  Value backward();
  void clear_saved() { dlogits_.reset(); }

 private:
  Value dlogits_;  // n x classes
};

}  // namespace laban
