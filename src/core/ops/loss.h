// From logits to probabilities, and to the loss and its gradient.
#pragma once

#include "core/ops/op.h"

namespace laban {

/// Per sample:
///
///   p = softmax(logits)
///   q = (1-smoothing)*onehot + smoothing/classes    (PyTorch's label smoothing)
///   loss = -sum_k q_k log p_k
///   dlogits = scale * (p - q)
///
/// With class weights w: loss = -sum_k q_k w_k log p_k, dlogits_k = scale * (p_k sum_j q_j w_j - q_k w_k).
/// Of a mixed clip, onehot is fraction*onehot(label) + (1-fraction)*onehot(other_label). A label outside
/// [0, classes) is the caller's error.
struct SoftmaxCrossEntropy {
  static constexpr std::string_view kName = "cross_entropy";
  Tensor logits;   // n x classes, master dtype
  Tensor labels;   // i32 vector of n
  Tensor loss;     // vector of n, master dtype
  Tensor dlogits;  // n x classes; may be empty (evaluation)
  double smoothing = 0, scale = 1;
  Tensor other_labels = {}, fraction = {};  // i32 and master dtype, vectors of n; both empty: no mixed clips
  Tensor class_weights = {};                // vector of classes, master dtype; empty: all 1

  void visit(auto&& f) {
    f("logits", logits, TensorUse::read);
    f("labels", labels, TensorUse::read);
    f("other_labels", other_labels, TensorUse::read);
    f("fraction", fraction, TensorUse::read);
    f("class_weights", class_weights, TensorUse::read);
    f("loss", loss, TensorUse::written);
    f("dlogits", dlogits, TensorUse::written);
  }
  OpCost cost() const { return moving({logits, dlogits}); }
};

struct Softmax {
  static constexpr std::string_view kName = "softmax";
  Tensor logits, probabilities;

  void visit(auto&& f) {
    f("logits", logits, TensorUse::read);
    f("probabilities", probabilities, TensorUse::written);
  }
  OpCost cost() const { return moving({logits, probabilities}); }
};

using LossOps = OpList<SoftmaxCrossEntropy, Softmax>;

}  // namespace laban
