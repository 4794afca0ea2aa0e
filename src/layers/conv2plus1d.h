// The (2+1)D convolution of Tran et al. 2018: space first, then time, with a nonlinearity in between.
//
//   y = T * relu(bn(S * x))        S: 1 x k x k, in -> middle;  T: k x 1 x 1, middle -> out
//
// backward is the chain rule through all four: T, ReLU and batch norm (one fused op), S. The model chooses
// `middle` so that the number of parameters matches a k x k x k convolution's (models/builder.cpp). Derived
// in docs/layers/conv2plus1d.md.
#pragma once

#include "layers/batchnorm3d.h"
#include "layers/conv3d.h"

namespace laban {

struct Conv2Plus1dOptions {
  int64_t in = 1, middle = 1, out = 1;  // channels
  Window window = {};                   // of the k x k x k convolution that it replaces
  double eps = 1e-5;                    // of the batch norm
};

class Conv2Plus1d : public Layer {
 public:
  Conv2Plus1d(std::string name, const Conv2Plus1dOptions& options);

  Value forward(StepContext& ctx, const Value& x) override;
  Value forward_normalized(StepContext& ctx, const Value& x, BatchNorm3d& norm,
                           const Value& residual) override;
  Value backward(StepContext& ctx, Value dy, bool need_dx) override;
  Value backward_onto(StepContext& ctx, Value dy, Value onto) override;
  void clear_saved() override;
  Shape output_shape(const Shape& x) const override;
  void collect(ParameterList& list) override;
  bool trainable() const override;
  void describe(const Shape& x, std::vector<LayerRow>& rows) const override;
  int trace(Graph& graph, int x) const override;

 private:
  /// The work of forward up to T; last(h) does the rest.
  Value forward_then(StepContext& ctx, const Value& x, auto&& last);

  // Saved tensors belong to the parts. Their names are torchvision's: .0, .1 and .3 (.2 is the fused ReLU).
  Conv3d spatial_;
  BatchNorm3d norm_;
  Conv3d temporal_;
};

}  // namespace laban
