#include "layers/maxpool3d.h"

namespace laban {

MaxPool3d::MaxPool3d(std::string name, const Window& window) : Layer(std::move(name)), window_(window) {
  require(window.volume() > 0 && window.volume() <= 256, "MaxPool3d: a tap must fit in one byte");
  for (int axis = 0; axis < 3; ++axis)  // otherwise a window could lie entirely in the padding
    require(2 * window.padding[axis] <= window.kernel[axis],
            "MaxPool3d: padding must be at most half the kernel");
}

Shape MaxPool3d::output_shape(const Shape& x) const {
  const Shape y = window_.output(x, x.c);
  if (x.count() <= 0 || y.count() <= 0)
    throw Error(text(name(), ": max-pooling ", window_, " does not fit an input of ", x.t, " frames of ", x.h,
                     "x", x.w),
                "Use more frames (--frames) or a larger size (--size).");
  return y;
}

Value MaxPool3d::forward(StepContext& ctx, const Value& x) {
  clear_saved();
  Value y = ctx.take(output_shape(x.shape()));
  if (saves(ctx)) {
    taps_ = ctx.take(y.shape(), DType::u8);
    x_shape_ = x.shape();
  }
  run(ctx, MaxPoolForward{x.tensor(), y.tensor(), taps_.tensor(), window_});
  return y;
}

Value MaxPool3d::backward(StepContext& ctx, Value dy, bool need_dx) {
  require_forward(!taps_.empty());
  const Value taps = std::move(taps_);
  if (!need_dx) return {};
  Value dx = ctx.take(x_shape_);
  run(ctx, MaxPoolBackward{dy.tensor(), taps.tensor(), dx.tensor(), window_});
  return dx;
}

void MaxPool3d::describe(const Shape& x, std::vector<LayerRow>& rows) const {
  const Shape y = output_shape(x);
  rows.push_back({.name = name(),
                  .kind = text("max pool ", window_),
                  .output = y,
                  .activations = y.count(),
                  .window = window_});
}

int MaxPool3d::trace(Graph& graph, int x) const {
  return append(graph, {.kind = GraphNode::Kind::max_pool, .name = name(), .inputs = {x}, .window = window_});
}

}  // namespace laban
