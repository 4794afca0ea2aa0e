// What `laban help COMMAND` prints.
#pragma once

#include <string>
#include <vector>

#include "command_line/command.h"

namespace laban::tools {

/// "laban cache DATA -o DIR [options]"
std::string usage(const Command& command);
/// Usage, arguments and flags by group, examples; at most 80 columns wide.
std::string help(const Command& command);

/// The arguments under one heading: "Arguments", "Options", "Settings [clip]", ...
struct ArgumentGroup {
  std::string heading;
  std::vector<const Argument*> arguments;
};
/// Each argument once, in the order of the headings' first appearance; what stands without a flag first.
std::vector<ArgumentGroup> argument_groups(const Command& command);

/// "-o, --output FILE"
std::string spelling(const Argument& argument);
/// The argument's help with what is allowed and what is the default: "frames per clip (1 to 4096, default
/// 16)".
std::string explanation(const Argument& argument);

}  // namespace laban::tools
