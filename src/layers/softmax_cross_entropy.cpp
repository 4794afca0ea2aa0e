#include "layers/softmax_cross_entropy.h"

#include <stdexcept>

namespace laban {

Value SoftmaxCrossEntropyLoss::forward(StepContext& ctx, const Value& logits, const Value& labels,
                                       double smoothing, double scale) {
  forget();
  require(labels.shape() == Shape::vector(logits.shape().n), "SoftmaxCrossEntropyLoss: one label a sample");
  Value loss = ctx.take(labels.shape(), ctx.master());
  if (ctx.saves_for_backward()) dlogits_ = ctx.take(logits.shape(), ctx.master());
  ctx.run(SoftmaxCrossEntropy{.logits = logits.tensor(),
                              .labels = labels.tensor(),
                              .loss = loss.tensor(),
                              .dlogits = dlogits_.tensor(),
                              .smoothing = smoothing,
                              .scale = scale});
  return loss;
}

Value SoftmaxCrossEntropyLoss::backward() {
  if (dlogits_.empty())
    throw std::logic_error("SoftmaxCrossEntropyLoss: backward without a matching forward");
  return std::move(dlogits_);
}

}  // namespace laban
