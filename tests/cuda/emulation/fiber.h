// A fiber: a thread of control with a stack of its own, which runs when control goes to it, and until it goes
// elsewhere. Over Boost.Context; AddressSanitizer is told of every change of stacks.
#pragma once

#include <functional>
#include <memory>

namespace laban::emulation {

class Fiber {
 public:
  /// `body` starts when control first goes here. It must not throw. When it ends, control goes to outside().
  explicit Fiber(std::function<void()> body);
  /// A fiber that has begun and not ended must not be destroyed: its stack would never be unwound.
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Leaves what runs now, for this fiber; returns when control goes back there.
  void go();
  /// What was there before any fiber: the stack of whoever first went to one.
  static Fiber& outside();

 private:
  struct State;
  Fiber();
  std::unique_ptr<State> state_;
};

}  // namespace laban::emulation
