#include "support/program.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <sstream>
#include <thread>

#include "core/files.h"
#include "support/temporary_folder.h"

namespace laban::test {

ProgramResult laban_with(const std::vector<std::string>& arguments, const std::string& program) {
  const TemporaryFolder folder;
  const std::filesystem::path out = folder.path() / "out", said = folder.path() / "said";
  ProgramResult result;
  result.code = wait_for(start_program(arguments, out, said, program));
  result.out = read_file(out);
  result.said = read_file(said);
  return result;
}

std::string laban_on_terminal(const std::vector<std::string>& arguments, unsigned short columns,
                              const std::string& program) {
  std::vector<std::string> words = arguments;
  words.insert(words.begin(), program);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  winsize size{};
  size.ws_row = 25;
  size.ws_col = columns;
  int terminal = -1;
  const pid_t child = ::forkpty(&terminal, nullptr, nullptr, &size);
  REQUIRE(child >= 0);
  if (child == 0) {
    ::execv(program.c_str(), argv.data());
    ::_exit(127);
  }
  std::string screen;
  char buffer[4096];
  for (ssize_t got; (got = ::read(terminal, buffer, sizeof(buffer))) > 0;)  // EIO when the program has ended
    screen.append(buffer, static_cast<size_t>(got));
  ::close(terminal);
  const int code = wait_for(child);
  CHECK_MESSAGE(code == 0, screen);
  return screen;
}

std::vector<std::string> words(const std::string& line) {
  std::istringstream from(line);
  std::vector<std::string> all;
  for (std::string word; from >> word;) all.push_back(word);
  return all;
}

pid_t start_program(const std::vector<std::string>& arguments, const std::filesystem::path& out,
                    const std::filesystem::path& said, const std::string& program,
                    const std::function<void()>& before) {
  std::vector<std::string> words = arguments;
  words.insert(words.begin(), program);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const auto redirect = [](int stream, const std::filesystem::path& to) {
    return ::dup2(::open(to.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644), stream) >= 0;
  };
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (!redirect(STDOUT_FILENO, out) || !redirect(STDERR_FILENO, said)) ::_exit(127);
    if (before) before();
    ::execv(program.c_str(), argv.data());
    ::_exit(127);
  }
  return child;
}

int wait_for(pid_t process) {
  int status = 0;
  REQUIRE(::waitpid(process, &status, 0) == process);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

bool wait_until(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace laban::test
