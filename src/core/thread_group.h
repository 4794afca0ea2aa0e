// Threads that end before what they work on does.
#pragma once

#include <cerrno>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "core/machine_error.h"

namespace laban {

/// Its destructor waits for the threads.
class ThreadGroup {
 public:
  ThreadGroup() = default;
  ~ThreadGroup() { join(); }
  ThreadGroup(const ThreadGroup&) = delete;
  ThreadGroup& operator=(const ThreadGroup&) = delete;

  /// MachineError if there can be no further thread; those that have been started go on. No exception may leave
  /// `body`: it would end the program.
  void start(std::function<void()> body) {
    try {
      threads_.emplace_back(std::move(body));
    } catch (const std::system_error& error) {
      const std::string memory = memory_in_use();
      throw MachineError(
          text("thread ", threads_.size() + 1, " of this step cannot be started: ",
               name_of_fault(error.code().value()), memory.empty() ? "" : "; " + memory),
          "Use fewer --workers, or raise the limits on processes (`ulimit -u`) and memory (`ulimit -v`).");
    }
  }
  void join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  std::vector<std::thread> threads_;
};

/// Calls `body` on `threads` threads at once, the caller's among them, and returns when all calls have returned.
/// What the first of them throws is thrown here; `give_up`, by which the others learn that they need not go on,
/// is called then, and where a thread cannot be started (MachineError). It must not throw.
inline void run_on_threads(int threads, const std::function<void()>& body,
                           const std::function<void()>& give_up) {
  std::mutex mutex;
  std::exception_ptr failure;
  const auto guarded = [&] {
    try {
      body();
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
      give_up();
    }
  };
  {
    ThreadGroup others;
    try {
      for (int i = 1; i < threads; ++i) others.start(guarded);
    } catch (...) {
      give_up();
      throw;
    }
    guarded();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace laban
