// A fiber: a thread of control with a stack of its own, which runs when it is told to and gives control back
// when it wants to. Over Boost.Context; AddressSanitizer is told of every change of stacks.
#pragma once

#include <functional>
#include <memory>

namespace laban::emulation {

class Fiber {
 public:
  /// `body` starts at the first resume(). It must not throw.
  explicit Fiber(std::function<void()> body);
  /// A fiber that is neither fresh nor finished must not be destroyed: its stack would never be unwound.
  ~Fiber();
  Fiber(Fiber&&) noexcept;

  /// Runs the fiber until it yields or ends.
  void resume();
  /// Called from inside the fiber that runs now: back to whoever resumed it.
  static void yield();
  bool finished() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace laban::emulation
