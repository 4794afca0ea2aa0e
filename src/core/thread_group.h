// Threads that end before what they work on does.
#pragma once

#include <cerrno>
#include <cstddef>
#include <functional>
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
      throw MachineError(
          text("thread ", threads_.size() + 1,
               " of this step cannot be started: ", name_of_fault(error.code().value())),
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

}  // namespace laban
