#include "layers/sequential.h"

#include <algorithm>

namespace laban {

Value Sequential::forward_part(StepContext& ctx, const Value& x, size_t begin, size_t end) {
  const bool input_gradient = ctx.input_gradient;
  Value h = x;
  for (size_t i = begin; i < end; ++i) {
    h = layers_[i]->forward(ctx, h);
    ctx.input_gradient = ctx.input_gradient || layers_[i]->trainable();
  }
  ctx.input_gradient = input_gradient;
  return h;
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
