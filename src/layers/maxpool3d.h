// Max-pooling. Padding counts as minus infinity.
//
//   y[n,p,c]  = max_k x[n, p*s - a + k, c]         tap[n,p,c] = the first k that attains it
//   dL/dx[n,q,c] = sum_{p: p*s - a + tap[n,p,c] = q} dL/dy[n,p,c]
//
// Derived in docs/layers/maxpool3d.md.
#pragma once

#include "layers/layer.h"

namespace laban {

class MaxPool3d : public Layer {
 public:
  MaxPool3d(std::string name, const Window& window);

  Value forward(StepContext& ctx, const Value& x) override;
  Value backward(StepContext& ctx, Value dy, bool need_dx) override;
  void clear_saved() override { taps_.reset(); }
  Shape output_shape(const Shape& x) const override;
  void collect(ParameterList&) override {}
  void describe(const Shape& x, std::vector<LayerRow>& rows) const override;
  int trace(Graph& graph, int x) const override;

 private:
  Window window_;
  Value taps_;     // u8, like y
  Shape x_shape_;  // of the forward that taps_ belongs to
};

}  // namespace laban
