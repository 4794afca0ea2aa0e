// 3-D convolution (a cross-correlation, as everywhere in deep learning).
//
//   y[n,p,o] = b[o] + sum_{k,i} w[o,k,i] x[n, p*s - a + k, i]          p, k, s, a: triples (t, h, w)
//
//   dL/dx[n,q,i] = sum_{o} sum_{p,k: p*s - a + k = q} w[o,k,i] dL/dy[n,p,o]
//   dL/dw[o,k,i] = sum_{n,p} dL/dy[n,p,o] x[n, p*s - a + k, i]
//   dL/db[o]     = sum_{n,p} dL/dy[n,p,o]
//
// Derived in docs/layers/conv3d.md.
#pragma once

#include "layers/layer.h"

namespace laban {

struct Conv3dOptions {
  int64_t in = 1, out = 1;  // channels
  Window window = {};
  bool bias = false;
};

class Conv3d : public Layer {
 public:
  Conv3d(std::string name, const Conv3dOptions& options);

  Value forward(StepContext& ctx, const Value& x) override;
  Value forward_normalized(StepContext& ctx, const Value& x, BatchNorm3d& norm,
                           const Value& residual) override;
  Value backward(StepContext& ctx, Value dy, bool need_dx) override;
  Value backward_onto(StepContext& ctx, Value dy, Value onto) override;
  void clear_saved() override { x_.reset(); }
  Shape output_shape(const Shape& x) const override;
  void collect(ParameterList& list) override;
  bool trainable() const override { return !weight_.frozen; }
  void describe(const Shape& x, std::vector<LayerRow>& rows) const override;
  int trace(Graph& graph, int x) const override;

 private:
  /// Writes a new dx, or adds to `onto` if that is not empty.
  Value backward(StepContext& ctx, const Value& dy, bool need_dx, Value onto);

  Shape checked_output(const Shape& x, int64_t in, int64_t out) const;

  Window window_;
  bool has_bias_;
  Parameter weight_;  // out x kt x kh x kw x in
  Parameter bias_;    // out
  Value x_;           // n x t x h x w x in
};

}  // namespace laban
