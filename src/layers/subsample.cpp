#include "layers/subsample.h"

#include "layers/padding.h"

namespace laban {

Subsample::Subsample(std::string name, int64_t in, int64_t out, const std::array<int64_t, 3>& stride)
    : Layer(std::move(name)), in_(in), out_(out), stride_(stride) {
  require(in > 0 && out >= in, "Subsample: channels can only be added");
}

Shape Subsample::output_shape(const Shape& x) const {
  if (x.c != in_)
    throw Error(text(name(), ": the shortcut takes ", in_, " channels, but its input has ", x.c), "");
  return Window{.kernel = {1, 1, 1}, .stride = stride_}.output(x, out_);
}

Value Subsample::forward(StepContext& ctx, const Value& x) {
  clear_saved();
  const int64_t multiple = ctx.backend.channel_multiple(ctx.compute);
  require(x.shape().c == padded(in_, multiple), "Subsample: wrong number of channels");
  Value y =
      ctx.take(Window{.kernel = {1, 1, 1}, .stride = stride_}.output(x.shape(), padded(out_, multiple)));
  run(ctx, SubsampleForward{x.tensor(), y.tensor(), stride_});
  if (saves(ctx)) x_shape_ = x.shape();
  return y;
}

Value Subsample::backward(StepContext& ctx, Value dy, bool need_dx) {
  require_forward(x_shape_.has_value());
  const Shape shape = *x_shape_;
  clear_saved();
  if (!need_dx) return {};
  Value dx = ctx.take(shape);
  run(ctx, SubsampleBackward{dy.tensor(), dx.tensor(), stride_});
  return dx;
}

void Subsample::describe(const Shape& x, std::vector<LayerRow>& rows) const {
  const Shape y = output_shape(x);
  rows.push_back({.name = name(),
                  .kind = text("subsample s", stride_[0], "x", stride_[1], "x", stride_[2]),
                  .output = y,
                  .activations = y.count(),
                  .window = {.kernel = {1, 1, 1}, .stride = stride_}});
}

int Subsample::trace(Graph& graph, int x) const {
  return append(graph, {.kind = GraphNode::Kind::subsample,
                        .name = name(),
                        .inputs = {x},
                        .window = {.kernel = {1, 1, 1}, .stride = stride_},
                        .channels_in = in_,
                        .channels_out = out_});
}

}  // namespace laban
