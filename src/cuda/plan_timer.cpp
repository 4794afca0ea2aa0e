#include "cuda/plan_timer.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "cuda/runtime.h"

namespace laban::cuda {
namespace {

/// An event that keeps the time, unlike those that only order streams (runtime.h).
class Moment {
 public:
  Moment() { check(cudaEventCreate(&event_), "cudaEventCreate"); }
  ~Moment() { cudaEventDestroy(event_); }
  Moment(const Moment&) = delete;
  Moment& operator=(const Moment&) = delete;
  cudaEvent_t get() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

class Timer {
 public:
  Timer(Libraries& libraries, Stream stream) : libraries_(libraries), stream_(stream) {}

  double operator()(const ConvProblem& problem, const Plan& plan) {
    if (!(problem == problem_)) make_tensors(problem);
    const std::unique_ptr<Memory> workspace = allocate_device(plan.workspace_bytes());
    const auto run = [&] { plan.run(libraries_.cudnn(stream_), bindings_, workspace->data(), problem); };
    run();  // loads the kernel
    constexpr int kRuns = 5;
    float best = std::numeric_limits<float>::infinity();
    for (int i = 0; i < kRuns; ++i) {
      check(cudaEventRecord(begin_.get(), stream_), "cudaEventRecord");
      run();
      check(cudaEventRecord(end_.get(), stream_), "cudaEventRecord");
      check(cudaEventSynchronize(end_.get()), "cudaEventSynchronize", "timing ", problem);
      float milliseconds = 0;
      check(cudaEventElapsedTime(&milliseconds, begin_.get(), end_.get()), "cudaEventElapsedTime");
      best = std::min(best, milliseconds);
    }
    return best;
  }

 private:
  void make_tensors(const ConvProblem& problem) {
    problem_ = {};
    bindings_.clear();
    memory_.clear();  // before anything new is allocated
    const ConvGeometry& g = problem.geometry;
    const auto elements = [](int64_t count, DType dtype) {
      return static_cast<size_t>(count) * size_of(dtype);
    };
    const auto bind = [&](TensorId id, size_t bytes) {
      std::unique_ptr<Memory> memory = allocate_device(bytes);
      // 0x3c3c is a small positive number in bf16 and 0x3c3c3c3c one in f32: zeros would draw less power, and
      // the card would run faster than it does in earnest.
      check(cudaMemsetAsync(memory->data(), 0x3c, bytes, stream_), "cudaMemsetAsync");
      bindings_.push_back({id, memory->data()});
      memory_.push_back(std::move(memory));
    };
    const DType storage = storage_of(problem.math);
    const bool accumulates = problem.epilogue == ConvEpilogue::accumulate;
    bind(kX, elements(g.x.count(), storage));
    bind(kY, elements(g.y.count(), storage));
    bind(kW, elements(g.y.c * g.x.c * g.window.volume(), accumulates ? DType::f32 : storage));
    if (accumulates && problem.math == MathMode::bf16) bindings_.push_back({kBefore, bindings_.back().data});
    if (problem.epilogue == ConvEpilogue::statistics) {
      bind(kSums, elements(g.y.c, DType::f32));
      bind(kSquareSums, elements(g.y.c, DType::f32));
    }
    problem_ = problem;
  }

  Libraries& libraries_;
  Stream stream_;
  ConvProblem problem_;
  std::vector<Binding> bindings_;
  std::vector<std::unique_ptr<Memory>> memory_;
  Moment begin_, end_;
};

}  // namespace

PlanTimer make_plan_timer(Libraries& libraries, Stream stream) {
  const auto timer = std::make_shared<Timer>(libraries, stream);
  return [timer](const ConvProblem& problem, const Plan& plan) { return (*timer)(problem, plan); };
}

}  // namespace laban::cuda
