#include "cpu/thread_pool.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <exception>

#include "core/error.h"
#include "core/processors.h"

namespace laban::cpu {
namespace {

// gate_: workers may enter while it is open; the caller closes it, then waits until nobody is inside.
constexpr uint32_t kOpen = 1u << 31, kAwaited = 1u << 30;

// A pause takes some 15 to 50 ns: longer than the gap between two ops of a step, shorter than a sleep and its
// end cost. More threads than processors do not spin: the one that is waited for may need the processor.
constexpr int kSpins = 1000;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t));
/// Returns when woken, or at once where the word has another value, or for no reason.
void sleep_on(std::atomic<uint32_t>& word, uint32_t value) {
  ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}
void wake(std::atomic<uint32_t>& word, int count) {
  ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

/// Where the calling thread is within a body: in which pool, as which worker.
struct Inside {
  const ThreadPool* pool = nullptr;
  int worker = 0;
};
thread_local Inside inside;

}  // namespace

ThreadPool::ThreadPool(int threads) : asked_(threads) {
  spins_ = threads > available_processors() ? 0 : kSpins;
  started_.reserve(static_cast<size_t>(std::max(threads - 1, 0)));
  try {
    for (int worker = 1; worker < threads; ++worker) started_.emplace_back([this, worker] { work(worker); });
  } catch (
      const std::exception&) {  // nothing may be thrown from here: those that have started must be joined
  }
}

std::string ThreadPool::note() const {
  if (threads() >= asked_) return "";
  return text("the system starts no more than ", threads(), " of the ", asked_,
              " threads asked for (a limit on processes or on memory, as of ulimit or a container): slower, "
              "with the same results");
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  epoch_.fetch_add(1);
  wake(epoch_, INT_MAX);
  for (std::thread& thread : started_) thread.join();
}

void ThreadPool::run(int64_t tiles, Call call, const void* body) {
  if (tiles <= 0) return;
  const Inside before = inside;
  if (before.pool == this || tiles == 1 || started_.empty()) {
    if (before.pool != this) inside = {this, 0};
    for (int64_t tile = 0; tile < tiles; ++tile) call(body, tile, inside.worker);
    inside = before;
    return;
  }
  call_ = call;
  body_ = body;
  tiles_ = tiles;
  next_.store(0, std::memory_order_relaxed);
  gate_.store(kOpen, std::memory_order_release);
  epoch_.fetch_add(1);
  // Who sleeps on has counted itself among the sleepers before, who does not will see the new epoch.
  const auto useful = static_cast<uint32_t>(std::min<int64_t>(tiles - 1, INT_MAX));
  if (const uint32_t sleeping = std::min(sleepers_.load(), useful)) wake(epoch_, static_cast<int>(sleeping));
  inside = {this, 0};
  take_tiles(0);
  inside = before;
  close();
}

void ThreadPool::take_tiles(int worker) {
  for (;;) {
    const int64_t tile = next_.fetch_add(1, std::memory_order_relaxed);
    if (tile >= tiles_) return;
    call_(body_, tile, worker);
  }
}

void ThreadPool::work(int worker) {
  inside = {this, worker};
  uint32_t seen = 0;
  for (;;) {
    for (int spin = 0; spin < spins_ && epoch_.load(std::memory_order_relaxed) == seen; ++spin) pause();
    while (epoch_.load() == seen) {
      sleepers_.fetch_add(1);
      sleep_on(epoch_, seen);
      sleepers_.fetch_sub(1);
    }
    // In this order: the destructor sets stop_ before it counts on, so whoever has seen its epoch sees stop_.
    // The other way round, both could change in between, and this thread would sleep through its end.
    seen = epoch_.load();
    if (stop_.load()) return;
    if (!enter()) continue;  // woken too late: the others have done it
    take_tiles(worker);
    leave();
  }
}

bool ThreadPool::enter() {
  uint32_t gate = gate_.load(std::memory_order_relaxed);
  while (gate & kOpen)
    if (gate_.compare_exchange_weak(gate, gate + 1, std::memory_order_acquire, std::memory_order_relaxed))
      return true;
  return false;
}

void ThreadPool::leave() {
  // The last one out of a closed gate wakes the caller, should it sleep.
  if (gate_.fetch_sub(1, std::memory_order_acq_rel) == (kAwaited | 1)) wake(gate_, 1);
}

void ThreadPool::close() {
  uint32_t gate = gate_.fetch_and(~kOpen, std::memory_order_acq_rel) & ~kOpen;
  for (int spin = 0; spin < spins_ && gate != 0; ++spin) {
    pause();
    gate = gate_.load(std::memory_order_acquire);
  }
  if (gate == 0) return;
  gate = gate_.fetch_or(kAwaited, std::memory_order_acq_rel) | kAwaited;
  while (gate != kAwaited) {
    sleep_on(gate_, gate);
    gate = gate_.load(std::memory_order_acquire);
  }
}

}  // namespace laban::cpu
