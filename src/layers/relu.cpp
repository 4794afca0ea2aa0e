#include "layers/relu.h"

namespace laban {

Value Relu::forward(StepContext& ctx, const Value& x) {
  clear_saved();
  Value y = ctx.take(x.shape());
  run(ctx, ReluForward{x.tensor(), y.tensor()});
  if (saves(ctx)) y_ = y;
  return y;
}

Value Relu::backward(StepContext& ctx, Value dy, bool need_dx) {
  require_forward(!y_.empty());
  const Value y = std::move(y_);
  if (!need_dx) return {};
  Value dx = dy.unique() ? dy : ctx.take(dy.shape());
  run(ctx, ReluBackward{y.tensor(), dy.tensor(), dx.tensor()});
  return dx;
}

void Relu::describe(const Shape& x, std::vector<LayerRow>& rows) const {
  rows.push_back({.name = name(), .kind = "relu", .output = x, .activations = x.count()});
}

int Relu::trace(Graph& graph, int x) const {
  return append(graph, {.kind = GraphNode::Kind::relu, .name = name(), .inputs = {x}});
}

}  // namespace laban
