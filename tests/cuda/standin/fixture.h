// What the tests of the stand-in itself share.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cuda/runtime.h"
#include "standin/gpu.h"

namespace laban::test {

constexpr standin::Schedule kEverySchedule[] = {standin::Schedule::early, standin::Schedule::late,
                                                standin::Schedule::random};

/// Work that is put on streams until the end of the block runs as this schedule says.
class Scheduled {
 public:
  explicit Scheduled(standin::Schedule schedule) : before_(standin::Gpu::the_one().schedule()) {
    standin::Gpu::the_one().set_schedule(schedule);
  }
  ~Scheduled() { standin::Gpu::the_one().set_schedule(before_); }
  Scheduled(const Scheduled&) = delete;
  Scheduled& operator=(const Scheduled&) = delete;

 private:
  standin::Schedule before_;
};

/// The calls of CUDA's runtime that `body` makes.
template <class Body>
std::map<std::string, int64_t> calls_of(Body&& body) {
  const auto before = standin::Gpu::the_one().calls();
  body();
  auto after = standin::Gpu::the_one().calls();
  for (const auto& [name, count] : before)
    if ((after[name] -= count) == 0) after.erase(name);
  return after;
}

constexpr int64_t kNumbers = 1000;

/// A thousand floats in some memory.
class Numbers {
 public:
  explicit Numbers(std::unique_ptr<Memory> memory) : memory_(std::move(memory)) {}
  void* data() const { return memory_->data(); }
  size_t bytes() const { return memory_->bytes(); }
  Tensor tensor() const { return {data(), DType::f32, Shape::vector(kNumbers), Device::cuda}; }
  /// Of memory that the host reaches.
  void fill(float value) { std::fill_n(static_cast<float*>(data()), kNumbers, value); }

 private:
  std::unique_ptr<Memory> memory_;
};
inline Numbers on_card() { return Numbers(cuda::allocate_device(kNumbers * sizeof(float))); }
inline Numbers page_locked(float value) {
  Numbers numbers(cuda::allocate_pinned(kNumbers * sizeof(float)));
  numbers.fill(value);
  return numbers;
}

/// What lies in memory of the GPU, when all of the stream's work has been done.
inline std::vector<float> contents(const Numbers& numbers, cuda::Stream stream) {
  std::vector<float> values(kNumbers);
  cuda::copy_to_host(values.data(), numbers.data(), kNumbers * sizeof(float), stream);
  return values;
}
inline std::vector<float> all(float value) { return std::vector<float>(kNumbers, value); }

}  // namespace laban::test
