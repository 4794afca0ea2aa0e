#include "layers/batchnorm3d.h"

namespace laban {

BatchNorm3d::BatchNorm3d(std::string name, const BatchNorm3dOptions& options)
    : Layer(std::move(name)), options_(options) {
  const Shape shape = Shape::vector(options.channels);
  for (Parameter* p : {&gamma_, &beta_}) {
    p->shape = shape;
    p->rank = 1;
  }
  gamma_.name = this->name() + ".weight";
  gamma_.init.value = 1;
  beta_.name = this->name() + ".bias";
  running_mean_.name = this->name() + ".running_mean";
  running_mean_.shape = shape;
  running_var_.name = this->name() + ".running_var";
  running_var_.shape = shape;
  running_var_.initial = 1;
  batches_tracked_.name = this->name() + ".num_batches_tracked";
}

void BatchNorm3d::clear_saved() {
  x_.reset();
  y_.reset();
  mean_.reset();
  inv_std_.reset();
}

Value BatchNorm3d::forward_add(StepContext& ctx, const Value& x, const Value& residual) {
  clear_saved();
  require(x.shape().c == gamma_.storage.c, "BatchNorm3d: wrong number of channels");
  require(residual.empty() || residual.shape() == x.shape(), "BatchNorm3d: the residual has another shape");
  Value y = ctx.take(x.shape());
  if (ctx.mode == Mode::train && !running_mean_.frozen) {
    mean_ = ctx.take(gamma_.storage, ctx.master());
    inv_std_ = ctx.take(gamma_.storage, ctx.master());
    run(ctx, BatchNormTrain{.x = x.tensor(),
                            .residual = residual.tensor(),
                            .y = y.tensor(),
                            .gamma = gamma_.value,
                            .beta = beta_.value,
                            .mean = mean_.tensor(),
                            .inv_std = inv_std_.tensor(),
                            .running_mean = running_mean_.value,
                            .running_var = running_var_.value,
                            .relu = options_.relu,
                            .momentum = options_.momentum,
                            .eps = options_.eps});
  } else {
    run(ctx, BatchNormInfer{.x = x.tensor(),
                            .residual = residual.tensor(),
                            .y = y.tensor(),
                            .gamma = gamma_.value,
                            .beta = beta_.value,
                            .running_mean = running_mean_.value,
                            .running_var = running_var_.value,
                            .relu = options_.relu,
                            .eps = options_.eps});
    if (saves(ctx)) {
      inv_std_ = ctx.take(gamma_.storage, ctx.master());
      run(ctx, InverseStd{.variance = running_var_.value, .inv_std = inv_std_.tensor(), .eps = options_.eps});
    }
  }
  if (saves(ctx)) {
    x_ = x;
    if (options_.relu) y_ = y;
    with_residual_ = !residual.empty();
  } else {
    clear_saved();  // the batch's statistics
  }
  return y;
}

void BatchNorm3d::complete(ConvBatchNorm& op) const {
  require(op.y.shape.c == gamma_.storage.c, "BatchNorm3d: wrong number of channels");
  op.gamma = gamma_.value;
  op.beta = beta_.value;
  op.running_mean = running_mean_.value;
  op.running_var = running_var_.value;
  op.relu = options_.relu;
  op.eps = options_.eps;
}

Value Layer::forward_normalized(StepContext& ctx, const Value& x, BatchNorm3d& norm, const Value& residual) {
  const bool input_gradient = ctx.input_gradient;
  const Value h = forward(ctx, x);
  ctx.input_gradient = input_gradient || trainable();
  Value y = norm.forward_add(ctx, h, residual);
  ctx.input_gradient = input_gradient;
  return y;
}

Value BatchNorm3d::run_backward(StepContext& ctx, const Value& dy, const Tensor& dresidual) {
  const bool frozen = mean_.empty();
  Value dx = ctx.take(x_.shape());
  // The op always computes dgamma and dbeta; if they are frozen, the results go to memory that is not read.
  Value dgamma, dbeta;
  if (!trainable()) {
    dgamma = ctx.take(gamma_.storage, ctx.master());
    dbeta = ctx.take(beta_.storage, ctx.master());
  }
  run(ctx, BatchNormBackward{.x = x_.tensor(),
                             .y = y_.tensor(),
                             .dy = dy.tensor(),
                             .dx = dx.tensor(),
                             .dresidual = dresidual,
                             .gamma = gamma_.value,
                             .mean = frozen ? running_mean_.value : mean_.tensor(),
                             .inv_std = inv_std_.tensor(),
                             .dgamma = trainable() ? gamma_.grad : dgamma.tensor(),
                             .dbeta = trainable() ? beta_.grad : dbeta.tensor(),
                             .beta = frozen || with_residual_ ? Tensor() : beta_.value,
                             .relu = options_.relu,
                             .frozen = frozen});
  clear_saved();
  return dx;
}

Value BatchNorm3d::backward(StepContext& ctx, Value dy, bool need_dx) {
  require_forward(!x_.empty());
  // The op computes dx together with dgamma and dbeta; if dx is not needed, it is released at once.
  Value dx = run_backward(ctx, dy, {});
  return need_dx ? dx : Value();
}

BatchNorm3d::Gradients BatchNorm3d::backward_add(StepContext& ctx, Value dy) {
  require_forward(!x_.empty());
  Value dresidual = dy.unique() ? dy : ctx.take(dy.shape());
  Value dx = run_backward(ctx, dy, dresidual.tensor());
  return {std::move(dx), std::move(dresidual)};
}

Shape BatchNorm3d::output_shape(const Shape& x) const {
  if (x.c != options_.channels)
    throw Error(
        text(name(), ": batch normalization over ", options_.channels, " channels got an input with ", x.c),
        "");
  return x;
}

void BatchNorm3d::collect(ParameterList& list) {
  list.parameters.insert(list.parameters.end(), {&gamma_, &beta_});
  list.statistics.insert(list.statistics.end(), {&running_mean_, &running_var_});
  list.counters.push_back(&batches_tracked_);
}

void BatchNorm3d::describe(const Shape& x, std::vector<LayerRow>& rows) const {
  const Shape y = output_shape(x);
  rows.push_back({.name = name(),
                  .kind = options_.relu ? "batch norm, relu" : "batch norm",
                  .output = y,
                  .parameters = 2 * options_.channels,
                  .activations = y.count()});
}

int BatchNorm3d::trace_add(Graph& graph, int x, std::optional<int> residual) const {
  int y = append(graph,
                 {.kind = GraphNode::Kind::batch_norm, .name = name(), .inputs = {x}, .eps = options_.eps});
  if (residual)
    y = append(graph, {.kind = GraphNode::Kind::add, .name = name() + ".add", .inputs = {y, *residual}});
  if (options_.relu)
    y = append(graph, {.kind = GraphNode::Kind::relu, .name = name() + ".relu", .inputs = {y}});
  return y;
}

}  // namespace laban
