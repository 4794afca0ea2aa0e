// Batch normalization over (n, t, h, w), with the residual add and the ReLU that may follow fused in.
//
//   xhat = (x - mean) * inv_std          inv_std = 1 / sqrt(var + eps)
//   z    = gamma * xhat + beta [+ r]     y = relu ? max(z, 0) : z
//
//   g = relu ? dL/dy * [y > 0] : dL/dy   dL/dr = g   dL/dbeta = sum g   dL/dgamma = sum g * xhat
//   train:  dL/dx = gamma * inv_std * (g - mean(g) - xhat * mean(g * xhat))
//   frozen: dL/dx = gamma * inv_std * g  (mean and var are constants)
//
// train: mean and (biased) variance of the batch; running = 0.9 running + 0.1 batch, with the unbiased batch
// variance, as in PyTorch. evaluate, frozen: running statistics; also in train if the statistics themselves
// are frozen (models/freeze.h). Derived in docs/layers/batchnorm3d.md.
#pragma once

#include <optional>

#include "layers/layer.h"

namespace laban {

struct BatchNorm3dOptions {
  int64_t channels = 1;
  bool relu = false;
  double momentum = 0.1, eps = 1e-5;
};

class BatchNorm3d : public Layer {
 public:
  BatchNorm3d(std::string name, const BatchNorm3dOptions& options);

  Value forward(StepContext& ctx, const Value& x) override { return forward_add(ctx, x, {}); }
  Value backward(StepContext& ctx, Value dy, bool need_dx) override;

  /// The fused form: y = relu?(bn(x) + residual).
  Value forward_add(StepContext& ctx, const Value& x, const Value& residual);
  /// Whether forward_add would apply the running statistics and save nothing. Then a convolution may do its work:
  /// complete() fills in what the op needs of this layer.
  bool only_applies(const StepContext& ctx) const {
    return (ctx.mode != Mode::train || running_mean_.frozen) && !saves(ctx);
  }
  void complete(ConvBatchNorm& op) const;
  struct Gradients {
    Value dx, dresidual;
  };
  /// The backward of forward_add with a residual. dresidual overwrites dy if nothing else holds dy.
  Gradients backward_add(StepContext& ctx, Value dy);

  void clear_saved() override;
  Shape output_shape(const Shape& x) const override;
  void collect(ParameterList& list) override;
  bool trainable() const override { return !gamma_.frozen; }
  void describe(const Shape& x, std::vector<LayerRow>& rows) const override;
  int trace(Graph& graph, int x) const override { return trace_add(graph, x, {}); }
  /// The fused form.
  int trace_add(Graph& graph, int x, std::optional<int> residual) const;

 private:
  Value run_backward(StepContext& ctx, const Value& dy, const Tensor& dresidual);

  BatchNorm3dOptions options_;
  Parameter gamma_, beta_;                // c
  Statistic running_mean_, running_var_;  // c
  Counter batches_tracked_;
  Value x_;  // n x t x h x w x c
  Value y_;  // like x; only with relu
  bool with_residual_ = false;
  Value mean_;     // c; empty after a frozen forward, which uses running_mean_
  Value inv_std_;  // c
};

}  // namespace laban
