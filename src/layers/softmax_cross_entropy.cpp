#include "layers/softmax_cross_entropy.h"

#include <stdexcept>

namespace laban {

Value SoftmaxCrossEntropyLoss::forward(StepContext& ctx, const Value& logits, const Targets& targets,
                                       double smoothing, double scale) {
  clear_saved();
  const Shape samples = Shape::vector(logits.shape().n);
  require(targets.labels.shape() == samples, "SoftmaxCrossEntropyLoss: needs one label per sample");
  require(targets.other_labels.empty() == targets.fraction.empty() &&
              (targets.fraction.empty() ||
               (targets.other_labels.shape() == samples && targets.fraction.shape() == samples)),
          "SoftmaxCrossEntropyLoss: needs one other label and one fraction per sample");
  require(targets.class_weights.empty() || targets.class_weights.shape() == Shape::vector(logits.shape().c),
          "SoftmaxCrossEntropyLoss: needs one weight per class");
  Value loss = ctx.take(samples, ctx.master());
  if (ctx.mode != Mode::evaluate) dlogits_ = ctx.take(logits.shape(), ctx.master());
  ctx.run(SoftmaxCrossEntropy{.logits = logits.tensor(),
                              .labels = targets.labels.tensor(),
                              .loss = loss.tensor(),
                              .dlogits = dlogits_.tensor(),
                              .smoothing = smoothing,
                              .scale = scale,
                              .other_labels = targets.other_labels.tensor(),
                              .fraction = targets.fraction.tensor(),
                              .class_weights = targets.class_weights.tensor()});
  return loss;
}

Value SoftmaxCrossEntropyLoss::backward() {
  if (dlogits_.empty())
    throw std::logic_error("SoftmaxCrossEntropyLoss: backward without a matching forward");
  return std::move(dlogits_);
}

}  // namespace laban
