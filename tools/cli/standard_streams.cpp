#include "cli/standard_streams.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

namespace laban::tools {
namespace {

bool reader_has_gone() {
  pollfd output{STDOUT_FILENO, POLLOUT, 0};
  return ::poll(&output, 1, 0) > 0 && (output.revents & (POLLERR | POLLHUP));
}

}  // namespace

void open_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) >= 0) continue;
    // The lowest number that is free: this one. Without /dev/null, something that cannot be written to.
    if (::open("/dev/null", O_RDWR) < 0) ::open("/", O_RDONLY | O_DIRECTORY);
  }
}

int finish_output(int code) {
  errno = 0;
  const bool flushed = std::fflush(stdout) == 0;
  const int reason = flushed ? 0 : errno;
  if (flushed && !std::ferror(stdout)) return code;
  if (reason == EPIPE || reader_has_gone()) return code;
  std::fprintf(
      stderr, "laban: what was printed on stdout is lost, or part of it%s%s\n  %s\n", reason ? ": " : "",
      reason ? std::generic_category().message(reason).c_str() : "",
      "Free some space where stdout goes to, or send it elsewhere. Files that were written are whole.");
  return code == 0 ? 1 : code;
}

}  // namespace laban::tools
