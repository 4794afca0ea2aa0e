// From the words of a command line to a command that runs.
#pragma once

#include <string>
#include <vector>

#include "command_line/command.h"

namespace laban::tools {

/// Takes in what follows the program's name and runs the command that it names. Help and the version are
/// printed on stdout. Throws UsageError for words that make no sense, naming the nearest that do.
void run_command_line(Command& program, const std::string& version, const std::vector<std::string>& words);

}  // namespace laban::tools
