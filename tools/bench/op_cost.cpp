#include "bench/op_cost.h"

#include <initializer_list>

#include "core/error.h"

namespace laban::tools {
namespace {

/// Channels that pad are multiplied, too: tensor cores take whole packs. But nobody need multiply a clip's 3
/// channels as 8 (cuda/unfolded.h).
double conv_gflop(const Shape& x, const Shape& y, const Window& window, int64_t own_channels) {
  const int64_t channels = own_channels > 0 && 2 * own_channels <= x.c ? own_channels : x.c;
  return 2e-9 * static_cast<double>(y.count() * window.volume() * channels);
}
double linear_gflop(const Shape& x, const Shape& w) { return 2e-9 * static_cast<double>(x.n * w.count()); }

/// What must travel between memory and the processor: each tensor as often as it is listed.
double gbytes(std::initializer_list<Tensor> tensors) {
  double sum = 0;
  for (const Tensor& tensor : tensors)
    if (tensor) sum += 1e-9 * static_cast<double>(tensor.bytes());
  return sum;
}

OpCost conv_cost(const char* name, const Tensor& x, const Tensor& w, const Tensor& y, const Window& window,
                 int64_t own_channels = 0) {
  return {name, text(window, ", ", x.shape, " -> ", y.shape.c), gbytes({x, w, y}),
          conv_gflop(x.shape, y.shape, window, own_channels)};
}

}  // namespace

OpCost cost_of(const ConvForward& op) {
  return conv_cost("conv.forward", op.x, op.w, op.y, op.window, op.own_channels);
}
OpCost cost_of(const ConvBackwardData& op) {
  OpCost cost = conv_cost("conv.backward_data", op.dx, op.w, op.dy, op.window);
  if (op.accumulate) cost.gbyte += gbytes({op.dx});
  return cost;
}
OpCost cost_of(const ConvBackwardWeights& op) {
  return conv_cost("conv.backward_weights", op.x, op.dw, op.dy, op.window, op.own_channels);
}
// Batch norm must see all of its input before it can write the first output: twice the reading.
OpCost cost_of(const BatchNormTrain& op) {
  return {"batch_norm.train", text(op.x.shape), gbytes({op.x, op.x, op.residual, op.y})};
}
OpCost cost_of(const BatchNormInfer& op) {
  return {"batch_norm.infer", text(op.x.shape), gbytes({op.x, op.residual, op.y})};
}
OpCost cost_of(const BatchNormBackward& op) {
  const Tensor y = op.relu && !op.beta ? op.y : Tensor();
  // The second walk needs the gradient behind the ReLU: from dresidual where the first has left it there.
  const double again = op.dresidual ? gbytes({op.dresidual, op.dresidual}) : gbytes({op.dy, y});
  return {"batch_norm.backward", text(op.x.shape), gbytes({op.x, op.x, op.dy, y, op.dx}) + again};
}
OpCost cost_of(const InverseStd&) { return {"inverse_std", ""}; }
OpCost cost_of(const ReluForward& op) { return {"relu.forward", text(op.x.shape), gbytes({op.x, op.y})}; }
OpCost cost_of(const ReluBackward& op) {
  return {"relu.backward", text(op.y.shape), gbytes({op.y, op.dy, op.dx})};
}
OpCost cost_of(const Accumulate& op) {
  return {"accumulate", text(op.into.shape), gbytes({op.from, op.into, op.into})};
}
OpCost cost_of(const Cast& op) { return {"cast", text(op.from.shape), gbytes({op.from, op.to})}; }
OpCost cost_of(const MaxPoolForward& op) {
  return {"max_pool.forward", text(op.x.shape), gbytes({op.x, op.y, op.taps})};
}
OpCost cost_of(const MaxPoolBackward& op) {
  return {"max_pool.backward", text(op.dx.shape), gbytes({op.dy, op.taps, op.dx})};
}
OpCost cost_of(const GlobalAvgPoolForward& op) {
  return {"global_avg_pool.forward", text(op.x.shape), gbytes({op.x, op.y})};
}
OpCost cost_of(const GlobalAvgPoolBackward& op) {
  return {"global_avg_pool.backward", text(op.dx.shape), gbytes({op.dy, op.dx})};
}
OpCost cost_of(const Dropout& op) { return {"dropout", text(op.x.shape), gbytes({op.x, op.y})}; }
OpCost cost_of(const SubsampleForward& op) {
  return {"subsample.forward", text(op.x.shape), gbytes({op.y, op.y})};
}
OpCost cost_of(const SubsampleBackward& op) {
  return {"subsample.backward", text(op.dx.shape), gbytes({op.dy, op.dx})};
}
OpCost cost_of(const ClipsFromFrames& op) {
  return {"clips_from_frames", text(op.y.shape), gbytes({op.bytes, op.y})};
}
OpCost cost_of(const MixClips& op) { return {"mix_clips", text(op.x.shape), gbytes({op.x, op.x, op.y})}; }
OpCost cost_of(const LinearForward& op) {
  return {"linear.forward", text(op.w.shape), gbytes({op.x, op.w, op.y}),
          linear_gflop(op.x.shape, op.w.shape)};
}
OpCost cost_of(const LinearBackwardData& op) {
  return {"linear.backward_data", text(op.w.shape), gbytes({op.dy, op.w, op.dx}),
          linear_gflop(op.dx.shape, op.w.shape)};
}
OpCost cost_of(const LinearBackwardWeights& op) {
  return {"linear.backward_weights", text(op.dw.shape), gbytes({op.x, op.dy, op.dw, op.dw}),
          linear_gflop(op.x.shape, op.dw.shape)};
}
OpCost cost_of(const SoftmaxCrossEntropy& op) {
  return {"cross_entropy", "", gbytes({op.logits, op.dlogits})};
}
OpCost cost_of(const Softmax& op) { return {"softmax", "", gbytes({op.logits, op.probabilities})}; }
OpCost cost_of(const SgdStep& op) {
  const OptimizerCommon& c = op.common;
  return {"sgd", "", gbytes({c.weights, c.weights, c.grads, c.working, op.velocity, op.velocity})};
}
OpCost cost_of(const AdamStep& op) {
  const OptimizerCommon& c = op.common;
  return {"adam", "", gbytes({c.weights, c.weights, c.grads, c.working, op.m, op.m, op.v, op.v})};
}
OpCost cost_of(const MovingAverage& op) {
  return {"moving_average", "", gbytes({op.average, op.average, op.values})};
}
OpCost cost_of(const SumOfSquares& op) { return {"sum_of_squares", "", gbytes({op.x})}; }
OpCost cost_of(const SetZero& op) { return {"set_zero", "", gbytes({op.x})}; }

}  // namespace laban::tools
