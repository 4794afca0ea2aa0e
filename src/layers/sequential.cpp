#include "layers/sequential.h"

namespace laban {

Value Sequential::forward(StepContext& ctx, const Value& x) {
  Value h = x;
  for (const auto& layer : layers_) h = layer->forward(ctx, h);
  return h;
}

Value Sequential::backward(StepContext& ctx, Value dy, bool need_dx) {
  for (size_t i = layers_.size(); i-- > 0;) dy = layers_[i]->backward(ctx, std::move(dy), need_dx || i > 0);
  return dy;
}

void Sequential::forget() {
  for (const auto& layer : layers_) layer->forget();
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
