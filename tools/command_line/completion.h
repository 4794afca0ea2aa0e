// Completion for shells, made from the command line's description.
#pragma once

#include <string>
#include <vector>

#include "command_line/command.h"

namespace laban::tools {

/// The shells that completion() knows.
const std::vector<std::string>& completion_shells();
/// A script that the shell reads: commands, flags, choices, files and folders.
std::string completion(const Command& program, const std::string& shell);

}  // namespace laban::tools
