// Adam and AdamW. Formula: math/optimizer.h.
#include "cuda/kernels/optimizer.h"

namespace laban::cuda {
namespace {

struct AdamSettings {
  double beta1, beta2, eps;
  bool decoupled;
};

__global__ void __launch_bounds__(kThreads, 3)
    adam(SegmentTable table, OptimizerMemory memory, float* m, float* v, AdamSettings settings) {
  if (!memory.may_update()) return;  // the whole block: nobody waits below
  // Powers in f64 cost as much as the rest of a block's work: one thread computes them for all.
  auto& corrections = block_shared<Array<double, 2>>();
  if (threadIdx.x == 0) {
    corrections[0] = AdamUpdate<float>::correction(settings.beta1, memory.step());
    corrections[1] = AdamUpdate<float>::correction(settings.beta2, memory.step());
  }
  __syncthreads();
  const double correction1 = corrections[0], correction2 = corrections[1];
  const double lr = memory.learning_rate();
  float* const state[] = {m, v};
  update_chunks<2>(table, memory, state, [&](const SegmentTable::Row& row) {
    return AdamUpdate<float>(lr * row.lr_scale, static_cast<double>(row.weight_decay), settings.beta1,
                             settings.beta2, settings.eps, settings.decoupled, correction1, correction2);
  });
}

}  // namespace

void run(const AdamStep& op, Stream stream) {
  launch_update("Adam step", adam, op.common, stream, op.m.as<float>(), op.v.as<float>(),
                AdamSettings{op.beta1, op.beta2, op.eps, op.decoupled});
}

}  // namespace laban::cuda
