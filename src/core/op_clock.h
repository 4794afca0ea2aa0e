// When ops end, as whoever runs them sees it: for benches.
#pragma once

#include <chrono>
#include <vector>

namespace laban {

class OpClock {
 public:
  virtual ~OpClock() = default;
  /// Notes the moment when all ops sent before have ended, without waiting for it where the backend has a
  /// queue.
  virtual void mark() = 0;
  /// Waits for the ops. The moments noted since the last take(), in seconds after the first of them.
  virtual std::vector<double> take() = 0;
};

/// For backends whose ops have ended when run() returns.
class HostClock : public OpClock {
 public:
  void mark() override { moments_.push_back(Clock::now()); }
  std::vector<double> take() override {
    std::vector<double> seconds;
    for (const Clock::time_point moment : moments_)
      seconds.push_back(std::chrono::duration<double>(moment - moments_.front()).count());
    moments_.clear();
    return seconds;
  }

 private:
  using Clock = std::chrono::steady_clock;
  std::vector<Clock::time_point> moments_;
};

}  // namespace laban
