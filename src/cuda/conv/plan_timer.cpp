#include "cuda/conv/plan_timer.h"

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
  Timer(Libraries& libraries, Stream stream, const ConvProblem& problem)
      : libraries_(libraries), stream_(stream), problem_(problem) {
    make_tensors();
  }

  double operator()(const Plan& plan) {
    const std::unique_ptr<Memory> workspace = allocate_device(plan.workspace_bytes());
    const auto run = [&] { plan.run(libraries_.cudnn(stream_), bindings_, workspace->data(), problem_); };
    run();  // loads the kernel
    // About kSeries milliseconds of it at a time, so that starting and stopping the clock weigh nothing.
    constexpr double kSeries = 2;
    constexpr int kMostRuns = 50, kRepeats = 3;
    const int runs = std::clamp(static_cast<int>(kSeries / std::max(milliseconds(run), 1e-3)), 1, kMostRuns);
    const std::unique_ptr<Recording> series = record_graph(stream_, [&] {
      for (int i = 0; i < runs; ++i) run();
    });
    series->replay();
    double best = std::numeric_limits<double>::infinity();
    for (int i = 0; i < kRepeats; ++i) best = std::min(best, milliseconds([&] { series->replay(); }) / runs);
    return best;
  }

 private:
  template <class Body>
  double milliseconds(Body&& body) {
    check(cudaEventRecord(begin_.get(), stream_), "cudaEventRecord");
    body();
    check(cudaEventRecord(end_.get(), stream_), "cudaEventRecord");
    check(cudaEventSynchronize(end_.get()), "cudaEventSynchronize", "timing ", problem_);
    float elapsed = 0;
    check(cudaEventElapsedTime(&elapsed, begin_.get(), end_.get()), "cudaEventElapsedTime");
    return elapsed;
  }

  void make_tensors() {
    const ConvGeometry& g = problem_.geometry;
    const auto elements = [](int64_t count, DType dtype) {
      return static_cast<size_t>(count) * size_of(dtype);
    };
    const auto bind = [&](TensorId id, size_t bytes) {
      std::unique_ptr<Memory> memory = allocate_device(bytes);
      // 0x3c3c is a small positive number in bf16 and 0x3c3c3c3c one in f32: zeros would draw less power, and
      // the GPU would run faster than it does in earnest.
      check(cudaMemsetAsync(memory->data(), 0x3c, bytes, stream_), "cudaMemsetAsync");
      bindings_.push_back({id, memory->data()});
      memory_.push_back(std::move(memory));
    };
    const DType storage = storage_of(problem_.math);
    const bool accumulates =
        problem_.pass == ConvPass::weights && problem_.epilogue == ConvEpilogue::accumulate;
    bind(kX, elements(g.x.count(), storage));
    bind(kY, elements(g.y.count(), storage));
    bind(kW, elements(g.y.c * g.x.c * g.window.volume(), accumulates ? DType::f32 : storage));
    if (accumulates && problem_.math == MathMode::bf16) bindings_.push_back({kBefore, bindings_.back().data});
  }

  Libraries& libraries_;
  Stream stream_;
  ConvProblem problem_;
  std::vector<Binding> bindings_;
  std::vector<std::unique_ptr<Memory>> memory_;
  Moment begin_, end_;
};

}  // namespace

MakePlanTimer make_plan_timer(Libraries& libraries, Stream stream) {
  return [&libraries, stream](const ConvProblem& problem) -> PlanTimer {
    const auto timer = std::make_shared<Timer>(libraries, stream, problem);
    return [timer](const Plan& plan) {
      try {
        return (*timer)(plan);
      } catch (const Error&) {
        cudaGetLastError();  // else the next engine's launch might be blamed for this one's
        throw;
      }
    };
  };
}

}  // namespace laban::cuda
