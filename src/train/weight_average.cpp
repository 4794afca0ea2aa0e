#include "train/weight_average.h"

#include <algorithm>
#include <vector>

#include "core/backend.h"
#include "math/moving_average.h"

namespace laban {
namespace {

std::vector<std::byte> bytes_of(Backend& backend, const Tensor& tensor) {
  std::vector<std::byte> bytes(tensor.bytes());
  backend.download(bytes.data(), tensor);
  return bytes;
}

}  // namespace

WeightAverage::WeightAverage(ParameterStore& store, double decay) : store_(store), decay_(decay) {
  Backend& backend = store.backend();
  weights_ = store.weights();
  statistics_ = store.statistics();
  const size_t first = (weights_.bytes() + 63) / 64 * 64;
  memory_ = backend.allocate(first + std::max<size_t>(statistics_.bytes(), 64));
  weights_.data = memory_->data();
  statistics_.data = static_cast<std::byte*>(memory_->data()) + first;
}

void WeightAverage::start() {
  Backend& backend = store_.backend();
  backend.upload(weights_, bytes_of(backend, store_.weights()).data());
  backend.upload(statistics_, bytes_of(backend, store_.statistics()).data());
}

void WeightAverage::update(int64_t t) {
  const double decay = decay_of_update(decay_, t);
  store_.backend().run(MovingAverage{weights_, store_.weights(), decay}, {});
  if (statistics_.count() > 0)
    store_.backend().run(MovingAverage{statistics_, store_.statistics(), decay}, {});
}

/// Goes through the host: it happens once per epoch, and works on every backend.
void WeightAverage::exchange() {
  Backend& backend = store_.backend();
  for (const auto& [mine, theirs] :
       {std::pair(weights_, store_.weights()), std::pair(statistics_, store_.statistics())}) {
    const std::vector<std::byte> averages = bytes_of(backend, mine), learned = bytes_of(backend, theirs);
    backend.upload(theirs, averages.data());
    backend.upload(mine, learned.data());
  }
  store_.weights_changed(/*refresh_working=*/true);
}

}  // namespace laban
