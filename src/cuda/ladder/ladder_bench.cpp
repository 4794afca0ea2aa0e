#include "cuda/ladder/ladder_bench.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <limits>
#include <memory>

#include "core/rng.h"
#include "cuda/ladder/ladder.h"
#include "cuda/runtime.h"

namespace laban {
namespace {

/// Tensors on the GPU with values that do not repeat within a million.
class Tensors {
 public:
  explicit Tensors(cuda::Stream stream) : stream_(stream), values_(size_t{1} << 20) {
    Rng rng(1, Purpose::test);
    for (float& value : values_) value = static_cast<float>(rng.normal());
  }

  Tensor random(const Shape& shape, DType dtype) {
    const Tensor wide = take(shape, DType::f32);
    for (int64_t at = 0; at < shape.count(); at += static_cast<int64_t>(values_.size())) {
      const size_t left = static_cast<size_t>(shape.count() - at);
      cuda::copy_to_device(wide.as<float>() + at, values_.data(), std::min(left, values_.size()) * 4,
                           stream_);
    }
    if (dtype == DType::f32) return wide;
    const Tensor narrow = take(shape, dtype);
    cuda::run(Cast{wide, narrow}, stream_);
    return narrow;
  }
  Tensor take(const Shape& shape, DType dtype) {
    Tensor tensor(nullptr, dtype, shape, Device::cuda);
    memory_.push_back(cuda::allocate_device(tensor.bytes()));
    tensor.data = memory_.back()->data();
    return tensor;
  }

 private:
  cuda::Stream stream_;
  std::vector<float> values_;
  std::vector<std::unique_ptr<Memory>> memory_;
};

/// Seconds of one run: the fastest of five series of ten, after one that warms up.
double seconds_of(const cuda::StreamOwner& stream, const std::function<void()>& run) {
  using Clock = std::chrono::steady_clock;
  constexpr int kSeries = 5, kRuns = 10;
  double best = std::numeric_limits<double>::infinity();
  for (int series = -1; series < kSeries; ++series) {
    stream.synchronize();
    const auto start = Clock::now();
    for (int i = 0; i < kRuns; ++i) run();
    stream.synchronize();
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count() / kRuns;
    if (series >= 0) best = std::min(best, seconds);
  }
  return best;
}

}  // namespace

LadderTimes time_ladder(int gpu, const Shape& shape, DType dtype) {
  LadderTimes times;
  times.gpu = cuda::open_device(gpu).name;
  const cuda::StreamOwner stream;
  Tensors tensors(stream.get());
  const Shape vector = Shape::vector(shape.c);
  BatchNormInfer op;
  op.x = tensors.random(shape, dtype);
  op.residual = tensors.random(shape, dtype);
  op.y = tensors.take(shape, dtype);
  op.gamma = tensors.random(vector, DType::f32);
  op.beta = tensors.random(vector, DType::f32);
  op.running_mean = tensors.random(vector, DType::f32);
  op.running_var = tensors.random(vector, DType::f32);
  cuda::run(ReluForward{op.running_var, op.running_var}, stream.get());  // variances are not negative
  op.relu = true;

  const double gbyte = 1e-9 * static_cast<double>(op.x.bytes());
  times.gbyte = 3 * gbyte;
  times.copy_gbyte_per_second = 2 * gbyte / seconds_of(stream, [&] {
                                  cuda::run(Cast{op.x, op.y}, stream.get());
                                });
  for (const cuda::LadderRung& rung : cuda::ladder())
    times.rungs.push_back({std::string(rung.name), seconds_of(stream, [&] { rung.run(op, stream.get()); }),
                           rung.tensors_moved * gbyte});
  return times;
}

}  // namespace laban
