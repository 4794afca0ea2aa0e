// Inverted dropout (Srivastava et al. 2014): the identity in evaluation.
//
//   y = x * keep / (1 - p)        dL/dx = dL/dy * keep / (1 - p)
//
// keep is a pure function of (seed, step, this layer's name, element), so backward recomputes it instead of
// storing it. Derived in docs/layers/dropout.md.
#pragma once

#include <optional>

#include "layers/layer.h"

namespace laban {

class DropoutLayer : public Layer {
 public:
  /// `p` in [0, 1): the probability that an element is dropped.
  DropoutLayer(std::string name, double p);

  Value forward(StepContext& ctx, const Value& x) override;
  Value backward(StepContext& ctx, Value dy, bool need_dx) override;
  void clear_saved() override { mask_.reset(); }
  Shape output_shape(const Shape& x) const override { return x; }
  void collect(ParameterList&) override {}
  void describe(const Shape& x, std::vector<LayerRow>& rows) const override;
  int trace(Graph&, int x) const override { return x; }

 private:
  /// The mask is a function of these; p = 0 after a frozen forward, which drops nothing.
  struct Mask {
    double p = 0;
    uint64_t seed = 0, stream = 0;
    Tensor step;
  };
  double p_;
  uint64_t id_;  // from the name
  std::optional<Mask> mask_;
};

}  // namespace laban
