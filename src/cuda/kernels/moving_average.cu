// Exponential moving average of the weights. Formula: math/moving_average.h.
#include "math/moving_average.h"

#include "cuda/kernels/map.h"

namespace laban::cuda {
namespace {

struct Average {
  float rest;
  LABAN_HD float operator()(float average, float value) const { return moving_average(average, value, rest); }
};

}  // namespace

void run(const MovingAverage& op, Stream stream) {
  map<float, float, float>("moving average", Average{static_cast<float>(1 - op.decay)}, op.average,
                           op.average, op.values, stream);
}

}  // namespace laban::cuda
