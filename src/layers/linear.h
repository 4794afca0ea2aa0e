// Fully connected layer.
//
//   y = x W^T + b            x: n x in, W: out x in, y: n x out
//   dL/dx = dL/dy W          dL/dW = (dL/dy)^T x          dL/db[o] = sum_n dL/dy[n,o]
//
// y and dL/dy have the master dtype (f32 if everything else is bf16): the softmax that follows needs the
// precision. Derived in docs/layers/linear.md.
#pragma once

#include "layers/layer.h"

namespace laban {

class Linear : public Layer {
 public:
  Linear(std::string name, int64_t in, int64_t out);

  Value forward(StepContext& ctx, const Value& x) override;
  Value backward(StepContext& ctx, Value dy, bool need_dx) override;
  void clear_saved() override { x_.reset(); }
  Shape output_shape(const Shape& x) const override;
  void collect(ParameterList& list) override;
  bool trainable() const override { return !weight_.frozen; }
  void describe(const Shape& x, std::vector<LayerRow>& rows) const override;
  int trace(Graph& graph, int x) const override;

 private:
  Parameter weight_;  // out x in
  Parameter bias_;    // out
  Value x_;           // n x in
};

}  // namespace laban
