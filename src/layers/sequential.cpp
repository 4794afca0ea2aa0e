#include "layers/sequential.h"

#include <algorithm>

#include "layers/batchnorm3d.h"

namespace laban {

Value Sequential::forward_part(StepContext& ctx, const Value& x, size_t begin, size_t end) {
  const bool input_gradient = ctx.input_gradient;
  Value h = x;
  for (size_t i = begin; i < end; ++i) {
    Layer& layer = *layers_[i];
    auto* const norm = i + 1 < end ? dynamic_cast<BatchNorm3d*>(layers_[i + 1].get()) : nullptr;
    h = norm ? layer.forward_normalized(ctx, h, *norm, {}) : layer.forward(ctx, h);
    ctx.input_gradient = ctx.input_gradient || layer.trainable() || (norm && norm->trainable());
    if (norm) ++i;
  }
  ctx.input_gradient = input_gradient;
  return h;
}

Value Sequential::forward_normalized(StepContext& ctx, const Value& x, BatchNorm3d& norm,
                                     const Value& residual) {
  if (layers_.empty()) return Layer::forward_normalized(ctx, x, norm, residual);
  const bool input_gradient = ctx.input_gradient;
  const size_t last = layers_.size() - 1;
  const Value h = forward_part(ctx, x, 0, last);
  for (size_t i = 0; i < last; ++i) ctx.input_gradient = ctx.input_gradient || layers_[i]->trainable();
  Value y = layers_[last]->forward_normalized(ctx, h, norm, residual);
  ctx.input_gradient = input_gradient;
  return y;
}

Value Sequential::backward_part(StepContext& ctx, Value dy, bool need_dx, size_t begin) {
  // No gradient is needed below the lowest trainable layer.
  size_t lowest = begin;
  if (!need_dx)
    while (lowest < layers_.size() && !layers_[lowest]->trainable()) layers_[lowest++]->clear_saved();
  for (size_t i = layers_.size(); i-- > lowest;)
    dy = layers_[i]->backward(ctx, std::move(dy), need_dx || i > lowest);
  return need_dx ? std::move(dy) : Value();
}

Value Sequential::backward_onto(StepContext& ctx, Value dy, Value onto) {
  if (layers_.empty()) return Layer::backward_onto(ctx, std::move(dy), std::move(onto));
  dy = backward_part(ctx, std::move(dy), true, 1);
  return layers_.front()->backward_onto(ctx, std::move(dy), std::move(onto));
}

bool Sequential::trainable() const {
  return std::ranges::any_of(layers_, [](const auto& layer) { return layer->trainable(); });
}

void Sequential::clear_saved() {
  for (const auto& layer : layers_) layer->clear_saved();
}

Shape Sequential::output_shape(const Shape& x) const {
  Shape shape = x;
  for (const auto& layer : layers_) shape = layer->output_shape(shape);
  return shape;
}

void Sequential::collect(ParameterList& list) {
  for (const auto& layer : layers_) layer->collect(list);
}

void Sequential::describe(const Shape& x, std::vector<LayerRow>& rows) const {
  Shape shape = x;
  for (const auto& layer : layers_) {
    layer->describe(shape, rows);
    shape = layer->output_shape(shape);
  }
}

int Sequential::trace(Graph& graph, int x) const {
  for (const auto& layer : layers_) x = layer->trace(graph, x);
  return x;
}

}  // namespace laban
