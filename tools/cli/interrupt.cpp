#include "cli/interrupt.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace laban::tools {
namespace {

std::atomic<bool> flag{false};
std::atomic<bool> asked{false};  // by SIGINT or SIGTERM
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

void on_signal(int signal) {
  const int reason = errno;
  if (signal != SIGHUP && asked.exchange(true)) _exit(130);
  if (flag.exchange(true)) return;
  constexpr char kMessage[] = "\nStopping at the next safe point; once more stops at once.\n";
  [[maybe_unused]] const auto written = write(STDERR_FILENO, kMessage, sizeof kMessage - 1);
  errno = reason;
}

}  // namespace

void install_interrupt_handler() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  struct sigaction hangup {};
  if (sigaction(SIGHUP, nullptr, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
    sigaction(SIGHUP, &action, nullptr);
}

void outlive_readers() { std::signal(SIGPIPE, SIG_IGN); }

const std::atomic<bool>& interrupt_flag() { return flag; }

}  // namespace laban::tools
