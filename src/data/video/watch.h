// A clock over work on a file: it ends where nothing moved for too long, or where nobody wants the result any
// more.
#pragma once

#include <atomic>
#include <chrono>

namespace laban {

/// Thrown through decoding when the caller withdrew its request. Not an error: nobody reports it.
struct Canceled {};

class Watch {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kPatience{60};

  /// `cancel`, where given, must outlive the watch.
  explicit Watch(const std::atomic<bool>* cancel = nullptr, Clock::duration patience = kPatience)
      : cancel_(cancel), patience_(patience) {}

  /// A packet or a frame arrived: patience starts anew.
  void progress() { since_ = Clock::now(); }
  bool canceled() const { return cancel_ && cancel_->load(std::memory_order_relaxed); }
  bool expired() const { return Clock::now() - since_ > patience_; }
  double seconds() const { return std::chrono::duration<double>(patience_).count(); }

 private:
  const std::atomic<bool>* cancel_;
  Clock::duration patience_;
  Clock::time_point since_ = Clock::now();
};

}  // namespace laban
