// What every op is called, and which tensors it reads and writes: for those that look at ops from outside, as
// CheckBackend does. The names are those of the members in core/backend.h.
#pragma once

#include <string_view>

#include "core/backend.h"

namespace laban {

enum class TensorUse { read, written, updated };

// visit_tensors(op, visit) calls visit(std::string_view name, Tensor& tensor, TensorUse use) for every tensor
// of the op, absent ones too.

template <class Visit>
void visit_tensors(ConvForward& op, Visit&& visit) {
  visit("x", op.x, TensorUse::read);
  visit("w", op.w, TensorUse::read);
  visit("bias", op.bias, TensorUse::read);
  visit("y", op.y, TensorUse::written);
}
template <class Visit>
void visit_tensors(ConvBackwardData& op, Visit&& visit) {
  visit("dy", op.dy, TensorUse::read);
  visit("w", op.w, TensorUse::read);
  visit("dx", op.dx, op.accumulate ? TensorUse::updated : TensorUse::written);
}
template <class Visit>
void visit_tensors(ConvBackwardWeights& op, Visit&& visit) {
  visit("x", op.x, TensorUse::read);
  visit("dy", op.dy, TensorUse::read);
  visit("dw", op.dw, TensorUse::updated);
  visit("dbias", op.dbias, TensorUse::updated);
}
template <class Visit>
void visit_tensors(BatchNormTrain& op, Visit&& visit) {
  visit("x", op.x, TensorUse::read);
  visit("residual", op.residual, TensorUse::read);
  visit("gamma", op.gamma, TensorUse::read);
  visit("beta", op.beta, TensorUse::read);
  visit("y", op.y, TensorUse::written);
  visit("mean", op.mean, TensorUse::written);
  visit("inv_std", op.inv_std, TensorUse::written);
  visit("running_mean", op.running_mean, TensorUse::updated);
  visit("running_var", op.running_var, TensorUse::updated);
}
template <class Visit>
void visit_tensors(BatchNormInfer& op, Visit&& visit) {
  visit("x", op.x, TensorUse::read);
  visit("residual", op.residual, TensorUse::read);
  visit("gamma", op.gamma, TensorUse::read);
  visit("beta", op.beta, TensorUse::read);
  visit("running_mean", op.running_mean, TensorUse::read);
  visit("running_var", op.running_var, TensorUse::read);
  visit("y", op.y, TensorUse::written);
}
template <class Visit>
void visit_tensors(BatchNormBackward& op, Visit&& visit) {
  visit("x", op.x, TensorUse::read);
  visit("y", op.y, TensorUse::read);
  visit("dy", op.dy, TensorUse::read);
  visit("gamma", op.gamma, TensorUse::read);
  visit("mean", op.mean, TensorUse::read);
  visit("inv_std", op.inv_std, TensorUse::read);
  visit("beta", op.beta, TensorUse::read);
  visit("dx", op.dx, TensorUse::written);
  visit("dresidual", op.dresidual, TensorUse::written);
  visit("dgamma", op.dgamma, TensorUse::updated);
  visit("dbeta", op.dbeta, TensorUse::updated);
}
template <class Visit>
void visit_tensors(InverseStd& op, Visit&& visit) {
  visit("variance", op.variance, TensorUse::read);
  visit("inv_std", op.inv_std, TensorUse::written);
}
template <class Visit>
void visit_tensors(ReluForward& op, Visit&& visit) {
  visit("x", op.x, TensorUse::read);
  visit("y", op.y, TensorUse::written);
}
template <class Visit>
void visit_tensors(ReluBackward& op, Visit&& visit) {
  visit("y", op.y, TensorUse::read);
  visit("dy", op.dy, TensorUse::read);
  visit("dx", op.dx, TensorUse::written);
}
template <class Visit>
void visit_tensors(Accumulate& op, Visit&& visit) {
  visit("from", op.from, TensorUse::read);
  visit("into", op.into, TensorUse::updated);
}
template <class Visit>
void visit_tensors(Cast& op, Visit&& visit) {
  visit("from", op.from, TensorUse::read);
  visit("to", op.to, TensorUse::written);
}
template <class Visit>
void visit_tensors(MaxPoolForward& op, Visit&& visit) {
  visit("x", op.x, TensorUse::read);
  visit("y", op.y, TensorUse::written);
  visit("taps", op.taps, TensorUse::written);
}
template <class Visit>
void visit_tensors(MaxPoolBackward& op, Visit&& visit) {
  visit("dy", op.dy, TensorUse::read);
  visit("taps", op.taps, TensorUse::read);
  visit("dx", op.dx, TensorUse::written);
}
template <class Visit>
void visit_tensors(GlobalAvgPoolForward& op, Visit&& visit) {
  visit("x", op.x, TensorUse::read);
  visit("y", op.y, TensorUse::written);
}
template <class Visit>
void visit_tensors(GlobalAvgPoolBackward& op, Visit&& visit) {
  visit("dy", op.dy, TensorUse::read);
  visit("dx", op.dx, TensorUse::written);
}
template <class Visit>
void visit_tensors(Dropout& op, Visit&& visit) {
  visit("x", op.x, TensorUse::read);
  visit("step", op.step, TensorUse::read);
  visit("y", op.y, TensorUse::written);
}
template <class Visit>
void visit_tensors(SubsampleForward& op, Visit&& visit) {
  visit("x", op.x, TensorUse::read);
  visit("y", op.y, TensorUse::written);
}
template <class Visit>
void visit_tensors(SubsampleBackward& op, Visit&& visit) {
  visit("dy", op.dy, TensorUse::read);
  visit("dx", op.dx, TensorUse::written);
}
template <class Visit>
void visit_tensors(ClipsFromFrames& op, Visit&& visit) {
  visit("bytes", op.bytes, TensorUse::read);
  visit("placements", op.placements, TensorUse::read);
  visit("y", op.y, TensorUse::written);
}
template <class Visit>
void visit_tensors(MixClips& op, Visit&& visit) {
  visit("x", op.x, TensorUse::read);
  visit("partner", op.partner, TensorUse::read);
  visit("share", op.share, TensorUse::read);
  visit("box", op.box, TensorUse::read);
  visit("y", op.y, TensorUse::written);
}
template <class Visit>
void visit_tensors(LinearForward& op, Visit&& visit) {
  visit("x", op.x, TensorUse::read);
  visit("w", op.w, TensorUse::read);
  visit("bias", op.bias, TensorUse::read);
  visit("y", op.y, TensorUse::written);
}
template <class Visit>
void visit_tensors(LinearBackwardData& op, Visit&& visit) {
  visit("dy", op.dy, TensorUse::read);
  visit("w", op.w, TensorUse::read);
  visit("dx", op.dx, TensorUse::written);
}
template <class Visit>
void visit_tensors(LinearBackwardWeights& op, Visit&& visit) {
  visit("x", op.x, TensorUse::read);
  visit("dy", op.dy, TensorUse::read);
  visit("dw", op.dw, TensorUse::updated);
  visit("dbias", op.dbias, TensorUse::updated);
}
template <class Visit>
void visit_tensors(SoftmaxCrossEntropy& op, Visit&& visit) {
  visit("logits", op.logits, TensorUse::read);
  visit("labels", op.labels, TensorUse::read);
  visit("other_labels", op.other_labels, TensorUse::read);
  visit("share", op.share, TensorUse::read);
  visit("loss", op.loss, TensorUse::written);
  visit("dlogits", op.dlogits, TensorUse::written);
}
template <class Visit>
void visit_tensors(Softmax& op, Visit&& visit) {
  visit("logits", op.logits, TensorUse::read);
  visit("probabilities", op.probabilities, TensorUse::written);
}
template <class Visit>
void visit_tensors(OptimizerCommon& op, Visit&& visit) {
  visit("grads", op.grads, TensorUse::read);
  visit("control", op.control, TensorUse::read);
  visit("norm_squared", op.norm_squared, TensorUse::read);
  visit("weights", op.weights, TensorUse::updated);
  visit("working", op.working, TensorUse::updated);  // of all segments; between them it stays
}
template <class Visit>
void visit_tensors(SgdStep& op, Visit&& visit) {
  visit_tensors(op.common, visit);
  visit("velocity", op.velocity, TensorUse::updated);
}
template <class Visit>
void visit_tensors(AdamStep& op, Visit&& visit) {
  visit_tensors(op.common, visit);
  visit("m", op.m, TensorUse::updated);
  visit("v", op.v, TensorUse::updated);
}
template <class Visit>
void visit_tensors(MovingAverage& op, Visit&& visit) {
  visit("values", op.values, TensorUse::read);
  visit("average", op.average, TensorUse::updated);
}
template <class Visit>
void visit_tensors(SumOfSquares& op, Visit&& visit) {
  visit("x", op.x, TensorUse::read);
  visit("result", op.result, TensorUse::written);
}
template <class Visit>
void visit_tensors(SetZero& op, Visit&& visit) {
  visit("x", op.x, TensorUse::written);
}

constexpr std::string_view op_name(const ConvForward&) { return "conv.forward"; }
constexpr std::string_view op_name(const ConvBackwardData&) { return "conv.backward_data"; }
constexpr std::string_view op_name(const ConvBackwardWeights&) { return "conv.backward_weights"; }
constexpr std::string_view op_name(const BatchNormTrain&) { return "batch_norm.train"; }
constexpr std::string_view op_name(const BatchNormInfer&) { return "batch_norm.infer"; }
constexpr std::string_view op_name(const BatchNormBackward&) { return "batch_norm.backward"; }
constexpr std::string_view op_name(const InverseStd&) { return "inverse_std"; }
constexpr std::string_view op_name(const ReluForward&) { return "relu.forward"; }
constexpr std::string_view op_name(const ReluBackward&) { return "relu.backward"; }
constexpr std::string_view op_name(const Accumulate&) { return "accumulate"; }
constexpr std::string_view op_name(const Cast&) { return "cast"; }
constexpr std::string_view op_name(const MaxPoolForward&) { return "max_pool.forward"; }
constexpr std::string_view op_name(const MaxPoolBackward&) { return "max_pool.backward"; }
constexpr std::string_view op_name(const GlobalAvgPoolForward&) { return "global_avg_pool.forward"; }
constexpr std::string_view op_name(const GlobalAvgPoolBackward&) { return "global_avg_pool.backward"; }
constexpr std::string_view op_name(const Dropout&) { return "dropout"; }
constexpr std::string_view op_name(const SubsampleForward&) { return "subsample.forward"; }
constexpr std::string_view op_name(const SubsampleBackward&) { return "subsample.backward"; }
constexpr std::string_view op_name(const ClipsFromFrames&) { return "clips_from_frames"; }
constexpr std::string_view op_name(const MixClips&) { return "mix_clips"; }
constexpr std::string_view op_name(const LinearForward&) { return "linear.forward"; }
constexpr std::string_view op_name(const LinearBackwardData&) { return "linear.backward_data"; }
constexpr std::string_view op_name(const LinearBackwardWeights&) { return "linear.backward_weights"; }
constexpr std::string_view op_name(const SoftmaxCrossEntropy&) { return "cross_entropy"; }
constexpr std::string_view op_name(const Softmax&) { return "softmax"; }
constexpr std::string_view op_name(const SgdStep&) { return "sgd"; }
constexpr std::string_view op_name(const AdamStep&) { return "adam"; }
constexpr std::string_view op_name(const MovingAverage&) { return "moving_average"; }
constexpr std::string_view op_name(const SumOfSquares&) { return "sum_of_squares"; }
constexpr std::string_view op_name(const SetZero&) { return "set_zero"; }

}  // namespace laban
