// Shortcut A of He et al. 2015 (as used for video by Hara et al. 2018): no parameters.
//
//   y[n,p,c] = c < C_in ? x[n, p*s, c] : 0            dL/dx[n,q,c] = q = p*s for some p ? dL/dy[n,p,c] : 0
//
// Derived in docs/layers/residual_block.md.
#pragma once

#include <array>
#include <optional>

#include "layers/layer.h"

namespace laban {

class Subsample : public Layer {
 public:
  Subsample(std::string name, int64_t in, int64_t out, const std::array<int64_t, 3>& stride);

  Value forward(StepContext& ctx, const Value& x) override;
  Value backward(StepContext& ctx, Value dy, bool need_dx) override;
  void clear_saved() override { x_shape_.reset(); }
  Shape output_shape(const Shape& x) const override;
  void collect(ParameterList&) override {}
  void describe(const Shape& x, std::vector<LayerRow>& rows) const override;
  int trace(Graph& graph, int x) const override;

 private:
  int64_t in_, out_;  // channels
  std::array<int64_t, 3> stride_;
  std::optional<Shape> x_shape_;  // all that backward needs
};

}  // namespace laban
