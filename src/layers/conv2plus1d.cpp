#include "layers/conv2plus1d.h"

namespace laban {
namespace {

Window spatial_part(const Window& v) {
  return {{1, v.kernel[1], v.kernel[2]}, {1, v.stride[1], v.stride[2]}, {0, v.padding[1], v.padding[2]}};
}
Window temporal_part(const Window& v) {
  return {{v.kernel[0], 1, 1}, {v.stride[0], 1, 1}, {v.padding[0], 0, 0}};
}

}  // namespace

Conv2Plus1d::Conv2Plus1d(std::string name, const Conv2Plus1dOptions& o)
    : Layer(std::move(name)),
      spatial_(this->name() + ".0", {.in = o.in, .out = o.middle, .window = spatial_part(o.window)}),
      norm_(this->name() + ".1", {.channels = o.middle, .relu = true, .eps = o.eps}),
      temporal_(this->name() + ".3", {.in = o.middle, .out = o.out, .window = temporal_part(o.window)}) {}

Value Conv2Plus1d::forward_then(StepContext& ctx, const Value& x, auto&& last) {
  const bool input_gradient = ctx.input_gradient;
  const Value h = spatial_.forward_normalized(ctx, x, norm_, {});
  ctx.input_gradient = input_gradient || spatial_.trainable() || norm_.trainable();
  Value y = last(h);
  ctx.input_gradient = input_gradient;
  return y;
}

Value Conv2Plus1d::forward(StepContext& ctx, const Value& x) {
  return forward_then(ctx, x, [&](const Value& h) { return temporal_.forward(ctx, h); });
}

Value Conv2Plus1d::forward_normalized(StepContext& ctx, const Value& x, BatchNorm3d& norm,
                                      const Value& residual) {
  return forward_then(ctx, x,
                      [&](const Value& h) { return temporal_.forward_normalized(ctx, h, norm, residual); });
}

Value Conv2Plus1d::backward(StepContext& ctx, Value dy, bool need_dx) {
  const bool below_norm = need_dx || spatial_.trainable(), below_temporal = below_norm || norm_.trainable();
  Value d = temporal_.backward(ctx, std::move(dy), below_temporal);
  if (below_temporal) d = norm_.backward(ctx, std::move(d), below_norm);
  return below_norm ? spatial_.backward(ctx, std::move(d), need_dx) : Value();
}

Value Conv2Plus1d::backward_onto(StepContext& ctx, Value dy, Value onto) {
  Value d = temporal_.backward(ctx, std::move(dy), true);
  d = norm_.backward(ctx, std::move(d), true);
  return spatial_.backward_onto(ctx, std::move(d), std::move(onto));
}

bool Conv2Plus1d::trainable() const {
  return spatial_.trainable() || norm_.trainable() || temporal_.trainable();
}

void Conv2Plus1d::clear_saved() {
  spatial_.clear_saved();
  norm_.clear_saved();
  temporal_.clear_saved();
}

Shape Conv2Plus1d::output_shape(const Shape& x) const {
  return temporal_.output_shape(spatial_.output_shape(x));
}

void Conv2Plus1d::collect(ParameterList& list) {
  spatial_.collect(list);
  norm_.collect(list);
  temporal_.collect(list);
}

void Conv2Plus1d::describe(const Shape& x, std::vector<LayerRow>& rows) const {
  spatial_.describe(x, rows);
  const Shape middle = spatial_.output_shape(x);
  norm_.describe(middle, rows);
  temporal_.describe(middle, rows);
}

int Conv2Plus1d::trace(Graph& graph, int x) const {
  return temporal_.trace(graph, norm_.trace(graph, spatial_.trace(graph, x)));
}

}  // namespace laban
