// Global average pooling: reduces a clip's feature map to one vector.
//
//   y[n,c] = 1/(T H W) sum_{t,h,w} x[n,t,h,w,c]        dL/dx[n,t,h,w,c] = dL/dy[n,c] / (T H W)
//
// Derived in docs/layers/global_avgpool.md.
#pragma once

#include <optional>

#include "layers/layer.h"

namespace laban {

class GlobalAvgPool : public Layer {
 public:
  using Layer::Layer;

  Value forward(StepContext& ctx, const Value& x) override;
  Value backward(StepContext& ctx, Value dy, bool need_dx) override;
  void clear_saved() override { x_shape_.reset(); }
  Shape output_shape(const Shape& x) const override { return Shape::matrix(x.n, x.c); }
  void collect(ParameterList&) override {}
  void describe(const Shape& x, std::vector<LayerRow>& rows) const override;
  int trace(Graph& graph, int x) const override;

 private:
  std::optional<Shape> x_shape_;  // all that backward needs
};

}  // namespace laban
