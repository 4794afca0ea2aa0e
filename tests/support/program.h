// The program, run as a person or a script would.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace laban::test {

struct ProgramResult {
  int code = 0;           // -signal where one has ended it
  std::string out, said;  // stdout, stderr
  bool says(const std::string& part) const { return (out + said).find(part) != std::string::npos; }
};

/// Runs it to its end. No shell stands between: arguments may have any characters.
ProgramResult laban_with(const std::vector<std::string>& arguments,
                         const std::string& program = LABAN_PROGRAM);
/// What it writes on a terminal with so many columns, stdout and stderr together, until it ends.
std::string laban_on_terminal(const std::vector<std::string>& arguments, unsigned short columns,
                              const std::string& program = LABAN_PROGRAM);
/// What is between the blanks of a line.
std::vector<std::string> words(const std::string& line);

/// Starts it; what it writes on stdout and stderr is appended to `out` and `said`, which may be one file.
/// `before` is called in the new process, last of all.
pid_t start_program(const std::vector<std::string>& arguments, const std::filesystem::path& out,
                    const std::filesystem::path& said, const std::string& program = LABAN_PROGRAM,
                    const std::function<void()>& before = {});
/// Waits for its end, and returns ProgramResult::code.
int wait_for(pid_t process);
/// Waits until `condition` holds; false where it does not within a minute.
bool wait_until(const std::function<bool()>& condition);

}  // namespace laban::test
