#include "bench/competitors.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "core/error.h"

namespace laban::tools {
namespace {

constexpr int kNicer = 10, kNicest = 19;

[[noreturn]] void compute_forever(int processor, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(0);  // it has ended in the meantime
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(processor, &one);
  ::sched_setaffinity(0, sizeof one, &one);
  const sched_param ordinary{};
  ::sched_setscheduler(0, SCHED_OTHER, &ordinary);  // also where the benchmark runs at real-time priority
  ::setpriority(PRIO_PROCESS, 0, std::min(kNicest, ::getpriority(PRIO_PROCESS, 0) + kNicer));
  ::raise(SIGSTOP);
  for (volatile unsigned n = 0;;) n = n + 1;
}

}  // namespace

Competitors::Competitors() {
  cpu_set_t mask;
  if (::sched_getaffinity(0, sizeof mask, &mask) != 0)
    throw Error(text("cannot tell which processors this process may use: ", std::strerror(errno)));
  const pid_t self = ::getpid();
  for (int processor = 0; processor < CPU_SETSIZE; ++processor) {
    if (!CPU_ISSET(processor, &mask)) continue;
    const pid_t child = ::fork();
    if (child == 0) compute_forever(processor, self);
    if (child < 0) {
      const int failed = errno;
      if (processes_.empty()) throw Error(text("cannot start a competing process: ", std::strerror(failed)));
      break;
    }
    int status = 0;
    ::waitpid(child, &status, WUNTRACED);  // until it waits
    processes_.push_back(child);
  }
}

Competitors::~Competitors() {
  for (const pid_t process : processes_) ::kill(process, SIGKILL);
  for (const pid_t process : processes_) ::waitpid(process, nullptr, 0);
}

void Competitors::compete(bool on) {
  for (const pid_t process : processes_) ::kill(process, on ? SIGCONT : SIGSTOP);
}

}  // namespace laban::tools
