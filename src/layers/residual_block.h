// The residual block of He et al. 2015, basic or bottleneck, depending on its main path.
//
//   y = relu(bn(F(x)) + S(x))         F: the main path up to its last convolution
//                                     S: identity, projection or subsample
//   g = dL/dy * [y > 0]               dL/dx = F'^T bn'^T g + S'^T g
//
// The last batch norm, the add and the ReLU are one op forward and one backward, in which g overwrites dL/dy.
// Derived in docs/layers/residual_block.md.
#pragma once

#include "layers/batchnorm3d.h"
#include "layers/sequential.h"

namespace laban {

class ResidualBlock : public Layer {
 public:
  /// `main`: F. `last`: a batch norm with ReLU. `shortcut`: S, null for the identity.
  ResidualBlock(std::string name, std::unique_ptr<Layer> main, std::unique_ptr<BatchNorm3d> last,
                std::unique_ptr<Layer> shortcut);

  Value forward(StepContext& ctx, const Value& x) override;
  Value backward(StepContext& ctx, Value dy, bool need_dx) override;
  void clear_saved() override;
  Shape output_shape(const Shape& x) const override;
  void collect(ParameterList& list) override;
  bool trainable() const override;
  void describe(const Shape& x, std::vector<LayerRow>& rows) const override;
  int trace(Graph& graph, int x) const override;

 private:
  // Saved tensors belong to the parts; the add needs none.
  std::unique_ptr<Layer> main_;
  std::unique_ptr<BatchNorm3d> last_;
  std::unique_ptr<Layer> shortcut_;
};

}  // namespace laban
