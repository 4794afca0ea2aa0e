#include "program/help_text.h"

#include <doctest/doctest.h>

#include <sstream>

#include "support/program.h"

namespace laban::test {
namespace {

/// The first words of the rows under "Commands:".
void collect(const std::string& above, std::vector<std::string>& commands) {
  commands.push_back(above);
  std::istringstream lines(help_of(above));
  bool listed = false;
  for (std::string line; std::getline(lines, line);) {
    if (line == "Commands:")
      listed = true;
    else if (line.empty())
      listed = false;
    else if (listed && line[2] != ' ')
      collect((above.empty() ? "" : above + " ") + line.substr(2, line.find(' ', 2) - 2), commands);
  }
}

}  // namespace

const std::vector<std::string>& all_commands() {
  static const std::vector<std::string> commands = [] {
    std::vector<std::string> found;
    collect("", found);
    REQUIRE(found.size() > 20);
    return found;
  }();
  return commands;
}

std::string help_of(const std::string& command) {
  std::vector<std::string> arguments = words(command);
  arguments.insert(arguments.begin(), "help");
  const ProgramResult result = laban_with(arguments);
  REQUIRE_MESSAGE(result.code == 0, command, ": ", result.said);
  return result.out;
}

}  // namespace laban::test
