#include "layers/global_avgpool.h"

namespace laban {

Value GlobalAvgPool::forward(StepContext& ctx, const Value& x) {
  clear_saved();
  Value y = ctx.take(output_shape(x.shape()));
  run(ctx, GlobalAvgPoolForward{x.tensor(), y.tensor()});
  if (saves(ctx)) x_shape_ = x.shape();
  return y;
}

Value GlobalAvgPool::backward(StepContext& ctx, Value dy, bool need_dx) {
  require_forward(x_shape_.has_value());
  const Shape shape = *x_shape_;
  clear_saved();
  if (!need_dx) return {};
  Value dx = ctx.take(shape);
  run(ctx, GlobalAvgPoolBackward{dy.tensor(), dx.tensor()});
  return dx;
}

void GlobalAvgPool::describe(const Shape& x, std::vector<LayerRow>& rows) const {
  const Shape y = output_shape(x);
  rows.push_back({.name = name(),
                  .kind = "global average pool",
                  .output = y,
                  .activations = y.count(),
                  .window = {.kernel = {x.t, x.h, x.w}, .stride = {x.t, x.h, x.w}}});
}

int GlobalAvgPool::trace(Graph& graph, int x) const {
  return append(graph, {.kind = GraphNode::Kind::global_avg_pool, .name = name(), .inputs = {x}});
}

}  // namespace laban
