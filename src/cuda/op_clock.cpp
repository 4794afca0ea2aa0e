#include "cuda/op_clock.h"

#include <cuda_runtime.h>

#include <chrono>
#include <thread>
#include <vector>

#include "cuda/check.h"

namespace laban::cuda {
namespace {

class EventClock : public OpClock {
 public:
  explicit EventClock(Stream stream) : stream_(stream) {}
  ~EventClock() override {
    for (const cudaEvent_t event : events_) cudaEventDestroy(event);
  }
  EventClock(const EventClock&) = delete;
  EventClock& operator=(const EventClock&) = delete;

  void mark() override {
    if (used_ == 0) hold_back();
    if (used_ == events_.size()) {
      cudaEvent_t event = nullptr;
      check(cudaEventCreate(&event), "cudaEventCreate");
      events_.push_back(event);
    }
    check(cudaEventRecord(events_[used_++], stream_), "cudaEventRecord");
  }

  std::vector<double> take() override {
    check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
    std::vector<double> seconds;
    for (size_t i = 0; i < used_; ++i) {
      float milliseconds = 0;
      check(cudaEventElapsedTime(&milliseconds, events_[0], events_[i]), "cudaEventElapsedTime");
      seconds.push_back(1e-3 * static_cast<double>(milliseconds));
    }
    used_ = 0;
    return seconds;
  }

 private:
  void hold_back() {
    const auto sleep = [](void*) { std::this_thread::sleep_for(std::chrono::milliseconds(20)); };
    check(cudaLaunchHostFunc(stream_, sleep, nullptr), "cudaLaunchHostFunc");
  }

  Stream stream_;
  std::vector<cudaEvent_t> events_;  // made as they are needed, used again after each take()
  size_t used_ = 0;
};

}  // namespace

std::unique_ptr<OpClock> make_op_clock(Stream stream) { return std::make_unique<EventClock>(stream); }

}  // namespace laban::cuda
