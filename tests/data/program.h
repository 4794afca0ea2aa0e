// The program itself, run as a person or a script would.
#pragma once

#include <doctest/doctest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "core/files.h"
#include "data/made_clips.h"

namespace laban::test {

struct Result {
  int code = 0;
  std::string out, said;  // stdout, stderr
  bool says(const std::string& part) const { return (out + said).find(part) != std::string::npos; }
};

/// Single quotes keep everything but themselves.
inline std::string quoted(const std::string& argument) {
  std::string out = "'";
  for (const char c : argument) {
    if (c == '\'')
      out += "'\\''";
    else
      out += c;
  }
  out += '\'';
  return out;
}

inline Result laban_with(const std::vector<std::string>& arguments) {
  const Folder folder("said");
  const std::filesystem::path said = folder.path() / "stderr";
  std::string command = quoted(LABAN_PROGRAM);
  for (const std::string& argument : arguments) command.append(" ").append(quoted(argument));
  command.append(" 2>").append(quoted(said.string()));
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  Result result;
  std::array<char, 4096> buffer{};
  for (size_t n; (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) result.out.append(buffer.data(), n);
  const int status = pclose(pipe);
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  result.said = read_file(said);
  return result;
}

}  // namespace laban::test
