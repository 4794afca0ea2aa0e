// Batch normalization with the running statistics: evaluation, and training with frozen statistics.
#include "cuda/kernels/batch_norm_apply.h"
#include "cuda/kernels/map.h"

namespace laban::cuda {
namespace {

struct InverseStdOf {
  float eps;
  LABAN_HD float operator()(float variance) const { return inverse_std(variance, eps); }
};

}  // namespace

void run(const BatchNormInfer& op, Stream stream) {
  apply_batch_norm<true>("batch norm, running statistics", op.x, op.residual, op.y, op.relu,
                         {op.gamma.as<float>(), op.beta.as<float>(), op.running_mean.as<float>(),
                          op.running_var.as<float>(), static_cast<float>(op.eps)},
                         stream);
}

void run(const InverseStd& op, Stream stream) {
  map<float, float>("inverse standard deviation", InverseStdOf{static_cast<float>(op.eps)}, op.inv_std,
                    op.variance, stream);
}

}  // namespace laban::cuda
