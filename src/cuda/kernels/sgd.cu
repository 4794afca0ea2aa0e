// Stochastic gradient descent with momentum. Formula: math/optimizer.h.
#include "cuda/kernels/optimizer.h"

namespace laban::cuda {
namespace {

struct SgdSettings {
  float momentum;
  bool nesterov;
};

__global__ void __launch_bounds__(kThreads, 4)
    sgd(SegmentTable table, OptimizerMemory memory, float* velocity, SgdSettings settings) {
  if (!memory.may_update()) return;
  const double lr = memory.learning_rate();
  const bool first_step = memory.step() == 1;
  float* const state[] = {velocity};
  update_chunks<1>(table, memory, state, [&](const SegmentTable::Row& row) {
    return SgdUpdate<float>{static_cast<float>(lr * row.lr_scale), row.weight_decay, settings.momentum,
                            settings.nesterov, first_step};
  });
}

}  // namespace

void run(const SgdStep& op, Stream stream) {
  launch_update("SGD step", sgd, op.common, stream, op.velocity.as<float>(),
                SgdSettings{static_cast<float>(op.momentum), op.nesterov});
}

}  // namespace laban::cuda
