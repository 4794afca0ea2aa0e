#include "layers/conv3d.h"

#include <algorithm>

#include "layers/batchnorm3d.h"

namespace laban {
namespace {

/// Whether the number of multiplications in a convolution, and so of elements and bytes in its tensors, fits
/// in 64 bits, with headroom for the sum over a network's layers.
bool can_be_counted(const Shape& x, const Shape& y, const Window& window) {
  int64_t count = 1024;
  for (const int64_t factor :
       {x.c, window.volume(), y.n, y.c, std::max(x.t, y.t), std::max(x.h, y.h), std::max(x.w, y.w)})
    if (__builtin_mul_overflow(count, factor, &count)) return false;
  return true;
}

}  // namespace

Conv3d::Conv3d(std::string name, const Conv3dOptions& options)
    : Layer(std::move(name)), window_(options.window), has_bias_(options.bias) {
  const auto& k = options.window.kernel;
  require(options.in > 0 && options.out > 0 && options.window.volume() > 0, "Conv3d: empty weights");
  weight_.name = this->name() + ".weight";
  weight_.shape = {options.out, options.in, k[0], k[1], k[2]};
  weight_.rank = 5;
  weight_.init = {Initializer::Kind::kaiming_normal_fan_out, 0};
  weight_.pad_n = true;
  bias_.name = this->name() + ".bias";
  bias_.shape = Shape::vector(options.out);
  bias_.rank = 1;
}

Shape Conv3d::checked_output(const Shape& x, int64_t in, int64_t out) const {
  if (x.c != in)
    throw Error(text(name(), ": the convolution takes ", in, " channels, but its input has ", x.c), "");
  const Shape y = window_.output(x, out);
  if (!can_be_counted(x, y, window_))
    throw Error(
        text(name(), ": an input of ", x.n, " clips of ", x.t, " frames of ", x.h, "x", x.w, " is too large"),
        "Use fewer frames (--frames), a smaller size (--size), or a smaller batch (--batch).");
  if (x.count() <= 0 || y.count() <= 0)
    throw Error(text(name(), ": a convolution ", window_, " does not fit an input of ", x.t, " frames of ",
                     x.h, "x", x.w),
                "Use more frames (--frames) or a larger size (--size).");
  return y;
}

Value Conv3d::forward(StepContext& ctx, const Value& x) {
  clear_saved();
  Value y = ctx.take(checked_output(x.shape(), weight_.storage.c, weight_.storage.n));
  run(ctx, ConvForward{.x = x.tensor(),
                       .w = weight_.working,
                       .bias = bias_.value,  // empty if there is none
                       .y = y.tensor(),
                       .window = window_,
                       .weights_version = ctx.weights_version,
                       .own_channels = weight_.shape.c,
                       .weights_stay = ctx.weights_stay});
  if (saves(ctx)) x_ = x;
  return y;
}

Value Conv3d::forward_normalized(StepContext& ctx, const Value& x, BatchNorm3d& norm, const Value& residual) {
  if (saves(ctx) || !norm.only_applies(ctx)) return Layer::forward_normalized(ctx, x, norm, residual);
  clear_saved();
  norm.clear_saved();
  Value y = ctx.take(checked_output(x.shape(), weight_.storage.c, weight_.storage.n));
  require(residual.empty() || residual.shape() == y.shape(), "Conv3d: the residual has another shape");
  ConvBatchNorm op{.x = x.tensor(),
                   .w = weight_.working,
                   .bias = bias_.value,
                   .residual = residual.tensor(),
                   .y = y.tensor(),
                   .window = window_,
                   .weights_version = ctx.weights_version,
                   .own_channels = weight_.shape.c,
                   .weights_stay = ctx.weights_stay};
  norm.complete(op);
  run(ctx, op);
  return y;
}

Value Conv3d::backward(StepContext& ctx, Value dy, bool need_dx) { return backward(ctx, dy, need_dx, {}); }

Value Conv3d::backward_onto(StepContext& ctx, Value dy, Value onto) {
  return backward(ctx, dy, true, std::move(onto));
}

Value Conv3d::backward(StepContext& ctx, const Value& dy, bool need_dx, Value onto) {
  require_forward(!x_.empty());
  const Value x = std::move(x_);
  if (trainable())
    run(ctx, ConvBackwardWeights{.x = x.tensor(),
                                 .dy = dy.tensor(),
                                 .dw = weight_.grad,
                                 .dbias = bias_.grad,
                                 .window = window_,
                                 .own_channels = weight_.shape.c});
  if (!need_dx) return {};
  const bool accumulate = !onto.empty();
  Value dx = accumulate ? std::move(onto) : ctx.take(x.shape());
  run(ctx, ConvBackwardData{.dy = dy.tensor(),
                            .w = weight_.working,
                            .dx = dx.tensor(),
                            .window = window_,
                            .weights_version = ctx.weights_version,
                            .accumulate = accumulate,
                            .weights_stay = ctx.weights_stay});
  return dx;
}

Shape Conv3d::output_shape(const Shape& x) const {
  return checked_output(x, weight_.shape.c, weight_.shape.n);
}

void Conv3d::collect(ParameterList& list) {
  list.parameters.push_back(&weight_);
  if (has_bias_) list.parameters.push_back(&bias_);
}

void Conv3d::describe(const Shape& x, std::vector<LayerRow>& rows) const {
  const Shape y = output_shape(x);
  rows.push_back({.name = name(),
                  .kind = text("conv ", window_),
                  .output = y,
                  .parameters = weight_.shape.count() + (has_bias_ ? bias_.shape.count() : 0),
                  .macs = y.count() * weight_.shape.c * window_.volume(),
                  .activations = y.count(),
                  .window = window_});
}

int Conv3d::trace(Graph& graph, int x) const {
  return append(
      graph,
      {.kind = GraphNode::Kind::conv, .name = name(), .inputs = {x}, .window = window_, .bias = has_bias_});
}

}  // namespace laban
