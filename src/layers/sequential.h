// Layers applied one after the other:
//
//   y = f_k(... f_2(f_1(x)))        dL/dx = J_1^T (J_2^T ... (J_k^T dL/dy))        (the chain rule)
#pragma once

#include "layers/layer.h"

namespace laban {

class Sequential : public Layer {
 public:
  using Layer::Layer;

  /// Constructs a layer at the end and returns it.
  template <class T, class... Arguments>
  T& add(Arguments&&... arguments) {
    auto layer = std::make_unique<T>(std::forward<Arguments>(arguments)...);
    T& made = *layer;
    layers_.push_back(std::move(layer));
    return made;
  }
  void add(std::unique_ptr<Layer> layer) { layers_.push_back(std::move(layer)); }
  const std::vector<std::unique_ptr<Layer>>& layers() const { return layers_; }

  Value forward(StepContext& ctx, const Value& x) override { return forward_part(ctx, x, 0, layers_.size()); }
  Value forward_normalized(StepContext& ctx, const Value& x, BatchNorm3d& norm,
                           const Value& residual) override;
  Value backward(StepContext& ctx, Value dy, bool need_dx) override {
    return backward_part(ctx, std::move(dy), need_dx, 0);
  }
  Value backward_onto(StepContext& ctx, Value dy, Value onto) override;
  /// Only the layers [begin, end) forward; and backward from the last layer down to `begin`.
  Value forward_part(StepContext& ctx, const Value& x, size_t begin, size_t end);
  Value backward_part(StepContext& ctx, Value dy, bool need_dx, size_t begin);
  void clear_saved() override;
  Shape output_shape(const Shape& x) const override;
  void collect(ParameterList& list) override;
  bool trainable() const override;
  void describe(const Shape& x, std::vector<LayerRow>& rows) const override;
  int trace(Graph& graph, int x) const override;

 private:
  std::vector<std::unique_ptr<Layer>> layers_;
};

}  // namespace laban
