// Rectified linear unit, as a separate layer. (After a batch norm, it is fused into that instead.)
//
//   y = max(x, 0)        dL/dx = dL/dy * [y > 0]        (the derivative at 0 is taken as 0)
//
// Derived in docs/layers/relu.md.
#pragma once

#include "layers/layer.h"

namespace laban {

class Relu : public Layer {
 public:
  using Layer::Layer;

  Value forward(StepContext& ctx, const Value& x) override;
  Value backward(StepContext& ctx, Value dy, bool need_dx) override;
  void clear_saved() override { y_.reset(); }
  Shape output_shape(const Shape& x) const override { return x; }
  void collect(ParameterList&) override {}
  void describe(const Shape& x, std::vector<LayerRow>& rows) const override;
  int trace(Graph& graph, int x) const override;

 private:
  Value y_;  // like x
};

}  // namespace laban
