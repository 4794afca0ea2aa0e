#include "layers/linear.h"

namespace laban {

Linear::Linear(std::string name, int64_t in, int64_t out) : Layer(std::move(name)) {
  weight_.name = this->name() + ".weight";
  weight_.shape = Shape::matrix(out, in);
  weight_.rank = 2;
  weight_.init = {Initializer::Kind::normal, 0.01};
  bias_.name = this->name() + ".bias";
  bias_.shape = Shape::vector(out);
  bias_.rank = 1;
  bias_.pad_c = false;  // its outputs are classes, which are not padded
}

Value Linear::forward(StepContext& ctx, const Value& x) {
  clear_saved();
  require(x.shape() == Shape::matrix(x.shape().n, weight_.storage.c), "Linear: the input must be n x in");
  Value y = ctx.take(Shape::matrix(x.shape().n, weight_.storage.n), ctx.master());
  run(ctx, LinearForward{x.tensor(), weight_.working, bias_.value, y.tensor()});
  if (saves(ctx)) x_ = x;
  return y;
}

Value Linear::backward(StepContext& ctx, Value dy, bool need_dx) {
  require_forward(!x_.empty());
  const Value x = std::move(x_);
  if (trainable()) run(ctx, LinearBackwardWeights{x.tensor(), dy.tensor(), weight_.grad, bias_.grad});
  if (!need_dx) return {};
  Value dx = ctx.take(x.shape());
  run(ctx, LinearBackwardData{dy.tensor(), weight_.working, dx.tensor()});
  return dx;
}

Shape Linear::output_shape(const Shape& x) const {
  if (x != Shape::matrix(x.n, weight_.shape.c))
    throw Error(
        text(name(), ": the linear layer takes vectors of ", weight_.shape.c, ", but its input is ", x), "");
  return Shape::matrix(x.n, weight_.shape.n);
}

void Linear::collect(ParameterList& list) {
  list.parameters.insert(list.parameters.end(), {&weight_, &bias_});
}

void Linear::describe(const Shape& x, std::vector<LayerRow>& rows) const {
  const Shape y = output_shape(x);
  rows.push_back({.name = name(),
                  .kind = "linear",
                  .output = y,
                  .parameters = weight_.shape.count() + bias_.shape.count(),
                  .macs = y.count() * weight_.shape.c,
                  .activations = y.count()});
}

int Linear::trace(Graph& graph, int x) const {
  return append(graph, {.kind = GraphNode::Kind::linear, .name = name(), .inputs = {x}, .bias = true});
}

}  // namespace laban
