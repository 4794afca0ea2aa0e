#include "support/relu_mask.h"

#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include "core/rng.h"
#include "support/host_tensor.h"

namespace laban::test {
namespace {

/// A tensor in the backend's memory.
struct Placed {
  std::unique_ptr<Memory> memory;
  Tensor tensor;

  Placed(Backend& backend, Shape shape, DType dtype) : tensor(nullptr, dtype, shape, backend.device()) {
    memory = backend.allocate(tensor.bytes());
    tensor.data = memory->data();
  }
  void write(Backend& backend, const std::vector<double>& values) const {
    std::vector<std::byte> bytes(tensor.bytes());
    for (size_t i = 0; i < values.size(); ++i)
      store_element(bytes.data(), tensor.dtype, static_cast<int64_t>(i), values[i]);
    backend.upload(tensor, bytes.data());
  }
  std::vector<double> read(Backend& backend) const {
    std::vector<std::byte> bytes(tensor.bytes());
    backend.download(bytes.data(), tensor);
    std::vector<double> values;
    for (int64_t i = 0; i < tensor.count(); ++i)
      values.push_back(load_element(bytes.data(), tensor.dtype, i));
    return values;
  }
};

template <class Op>
void run(Backend& backend, const Op& op) {
  backend.prepare(op);
  const size_t bytes = backend.scratch_bytes(op);
  const std::unique_ptr<Memory> memory = backend.allocate(bytes + 1);
  backend.run(op, Scratch{memory->data(), bytes});
}

}  // namespace

void check_relu_mask(Backend& backend, DType compute) {
  constexpr int64_t kChannels = 32;
  const Shape shape{2, kChannels, 4, 9, 9}, vector = Shape::vector(kChannels);
  const Placed x(backend, shape, compute), y(backend, shape, compute), dy(backend, shape, compute),
      dx(backend, shape, compute), gamma(backend, vector, DType::f32), beta(backend, vector, DType::f32),
      mean(backend, vector, DType::f32), inv_std(backend, vector, DType::f32),
      dgamma(backend, vector, DType::f32), dbeta(backend, vector, DType::f32);

  // In every channel a few values only, each often.
  Rng rng(5, Purpose::test);
  std::vector<double> levels, values, gradients, scales;
  for (int64_t i = 0; i < 4 * kChannels; ++i) levels.push_back(rng.normal());
  for (int64_t i = 0; i < shape.count(); ++i) {
    values.push_back(levels[static_cast<size_t>(i % kChannels + kChannels * rng.integer(0, 3))]);
    gradients.push_back(rng.normal());
  }
  for (int64_t c = 0; c < kChannels; ++c) scales.push_back(rng.normal());
  x.write(backend, values), dy.write(backend, gradients), gamma.write(backend, scales);
  beta.write(backend, std::vector<double>(kChannels));
  const BatchNormTrain forward{.x = x.tensor,
                               .residual = {},
                               .y = y.tensor,
                               .gamma = gamma.tensor,
                               .beta = beta.tensor,
                               .mean = mean.tensor,
                               .inv_std = inv_std.tensor,
                               .running_mean = {},
                               .running_var = {},
                               .relu = true};
  run(backend, forward);
  // Now beta such that the first level of each channel, which a quarter of it has, gives 0 but for rounding.
  const std::vector<double> m = mean.read(backend), s = inv_std.read(backend), g = gamma.read(backend),
                            stored = x.read(backend);
  std::vector<double> shifts;
  for (size_t c = 0; c < kChannels; ++c)
    shifts.push_back(-(rounded(levels[c], compute) - m[c]) * rounded(g[c] * s[c], DType::f32));
  beta.write(backend, shifts);
  run(backend, forward);

  const auto backward = [&](bool from_x) {
    dgamma.write(backend, std::vector<double>(kChannels)),
        dbeta.write(backend, std::vector<double>(kChannels));
    run(backend, BatchNormBackward{.x = x.tensor,
                                   .y = y.tensor,
                                   .dy = dy.tensor,
                                   .dx = dx.tensor,
                                   .dresidual = {},
                                   .gamma = gamma.tensor,
                                   .mean = mean.tensor,
                                   .inv_std = inv_std.tensor,
                                   .dgamma = dgamma.tensor,
                                   .dbeta = dbeta.tensor,
                                   .beta = from_x ? beta.tensor : Tensor(),
                                   .relu = true});
    std::vector<double> all = dx.read(backend);
    for (const Placed* sums : {&dgamma, &dbeta})
      for (const double sum : sums->read(backend)) all.push_back(sum);
    return all;
  };
  CHECK(backward(true) == backward(false));
  // The test is one only where rounding decided: both signs must have come up.
  int64_t let_through = 0, stopped = 0;
  const std::vector<double> shown = y.read(backend);
  for (size_t i = 0; i < shown.size(); ++i)
    if (stored[i] == rounded(levels[i % kChannels], compute)) ++(shown[i] > 0 ? let_through : stopped);
  CHECK(let_through > 0);
  CHECK(stopped > 0);
}

}  // namespace laban::test
