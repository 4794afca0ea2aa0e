// into += from: where two gradients meet, or those of several micro-batches.
#include "cuda/kernels/map.h"

namespace laban::cuda {
namespace {

struct Add {
  LABAN_HD float operator()(float a, float b) const { return a + b; }
};

}  // namespace

void run(const Accumulate& op, Stream stream) {
  with_type(op.into.dtype,
            [&]<class T>() { map<T, T, T>("accumulate", Add{}, op.into, op.into, op.from, stream); });
}

void run(const AccumulateWidened& op, Stream stream) {
  map<float, float, BFloat16>("accumulate", Add{}, op.into, op.into, op.from, stream);
}

}  // namespace laban::cuda
