// A timeout for work on a file: it ends if there is no progress for too long, if all of it takes too long, or if
// the result is no longer wanted.
#pragma once

#include <atomic>
#include <chrono>

#include "data/picture/decode_limits.h"

namespace laban {

/// Thrown out of decoding when the caller has canceled it. Not an error, and not reported.
struct Canceled {};

class Watch {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kPatience{60};

  /// `cancel`, if given, must outlive the watch.
  explicit Watch(const std::atomic<bool>* cancel = nullptr, Clock::duration patience = kPatience)
      : cancel_(cancel), patience_(patience) {}

  /// A packet or a frame has arrived: restarts the timeout.
  void progress() { since_ = Clock::now(); }
  bool canceled() const { return cancel_ && cancel_->load(std::memory_order_relaxed); }
  bool expired() const { return Clock::now() - since_ > patience_; }
  /// Of the thread that made this watch, which must be the one that asks.
  const DecodeTime& time() const { return time_; }
  double seconds() const { return std::chrono::duration<double>(patience_).count(); }

 private:
  const std::atomic<bool>* cancel_;
  Clock::duration patience_;
  Clock::time_point since_ = Clock::now();
  DecodeTime time_;
};

}  // namespace laban
