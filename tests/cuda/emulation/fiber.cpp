#include "emulation/fiber.h"

#include <boost/context/fiber.hpp>
#include <boost/context/protected_fixedsize_stack.hpp>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace laban::emulation {
namespace {

// AddressSanitizer follows one stack at a time: before each change it is told where control goes, after each
// where it has arrived. `fake` keeps the frames that it holds back to find uses after return.
#if defined(__SANITIZE_ADDRESS__)
void leaving(void** fake, const void* bottom, size_t size) {
  __sanitizer_start_switch_fiber(fake, bottom, size);
}
void arrived(void* fake, const void** from_bottom, size_t* from_size) {
  __sanitizer_finish_switch_fiber(fake, from_bottom, from_size);
}
constexpr size_t kStack = 256 * 1024;  // red zones make frames large
#else
void leaving(void**, const void*, size_t) {}
void arrived(void*, const void**, size_t*) {}
constexpr size_t kStack = 64 * 1024;
#endif

}  // namespace

struct Fiber::State {
  boost::context::fiber context;  // where it goes on; nothing while it runs
  void* fake = nullptr;
  const void* bottom = nullptr;  // of its stack
  size_t size = 0;

  static State *running, *left;  // now; and before that

  /// Control has come here. `context` is where the one that was left goes on.
  void arrive(boost::context::fiber&& context_of_left) {
    arrived(fake, &left->bottom, &left->size);
    left->context = std::move(context_of_left);
  }
  /// Control will go from what runs now to this one.
  void announce() {
    left = std::exchange(running, this);
    leaving(&left->fake, bottom, size);
  }
};
Fiber::State *Fiber::State::running = nullptr, *Fiber::State::left = nullptr;

Fiber::Fiber() : state_(std::make_unique<State>()) {}
Fiber& Fiber::outside() {
  static Fiber& the_one = *new Fiber;  // for good: fibers may end as late as the program does
  return the_one;
}

Fiber::Fiber(std::function<void()> body) : Fiber() {
  boost::context::protected_fixedsize_stack allocator{kStack};
  const boost::context::stack_context stack = allocator.allocate();
  // Tops at the same distance from each other would all want the same few lines of the cache.
  static size_t made = 0;
  const size_t left_free = made++ % 61 * 192;
  char* const top = static_cast<char*>(stack.sp) - left_free;
  state_->size = stack.size - left_free;
  state_->bottom = top - state_->size;
  state_->context = boost::context::fiber(
      std::allocator_arg, boost::context::preallocated(top, state_->size, stack), allocator,
      [self = state_.get(), body = std::move(body)](boost::context::fiber&& from) {
        self->arrive(std::move(from));
        body();
        // Not for good, as far as AddressSanitizer is told: Boost's frames below this one have yet to return,
        // and may lie in the memory that it would take away.
        State& to = *outside().state_;
        to.announce();
        return std::move(to.context);
      });
}
Fiber::~Fiber() = default;

void Fiber::go() {
  if (!State::running) State::running = outside().state_.get();
  State& from = *State::running;
  state_->announce();
  boost::context::fiber context_of_left = std::move(state_->context).resume();
  from.arrive(std::move(context_of_left));
}

}  // namespace laban::emulation
