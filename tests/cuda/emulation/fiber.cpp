#include "emulation/fiber.h"

#include <boost/context/fiber.hpp>
#include <boost/context/protected_fixedsize_stack.hpp>

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
  boost::context::protected_fixedsize_stack allocator{kStack};
  boost::context::stack_context stack = allocator.allocate();
  boost::context::fiber context;  // the fiber while it waits; whoever resumed it while it runs
  std::function<void()> body;
  void* fake = nullptr;
  const void* resumer_bottom = nullptr;
  size_t resumer_size = 0;
  State* resumed_by = nullptr;
  bool finished = false;

  const void* bottom() const { return static_cast<const char*>(stack.sp) - stack.size; }
  void leave_to_resumer() { leaving(&fake, resumer_bottom, resumer_size); }
  void arrive() { arrived(fake, &resumer_bottom, &resumer_size); }

  static State* running;
};
Fiber::State* Fiber::State::running = nullptr;

Fiber::Fiber(std::function<void()> body) : state_(std::make_unique<State>()) {
  State& self = *state_;
  self.body = std::move(body);
  self.context = boost::context::fiber(
      std::allocator_arg, boost::context::preallocated(self.stack.sp, self.stack.size, self.stack),
      self.allocator, [&self](boost::context::fiber&& resumer) {
        self.context = std::move(resumer);
        self.arrive();
        self.body();
        self.finished = true;
        // Not for good, as far as AddressSanitizer is told: Boost's frames below this one have yet to return,
        // and may lie in the memory that it would take away.
        self.leave_to_resumer();
        return std::move(self.context);
      });
}
Fiber::~Fiber() = default;
Fiber::Fiber(Fiber&&) noexcept = default;

void Fiber::resume() {
  State& self = *state_;
  self.resumed_by = State::running;
  State::running = &self;
  void* fake = nullptr;
  leaving(&fake, self.bottom(), self.stack.size);
  boost::context::fiber paused = std::move(self.context).resume();
  arrived(fake, nullptr, nullptr);
  self.context = std::move(paused);
  State::running = self.resumed_by;
}

void Fiber::yield() {
  State& self = *State::running;
  self.leave_to_resumer();
  boost::context::fiber resumer = std::move(self.context).resume();
  self.arrive();
  self.context = std::move(resumer);
}

bool Fiber::finished() const { return state_->finished; }

}  // namespace laban::emulation
