// Manual pages, made from the command line's description.
#pragma once

#include <string>
#include <vector>

#include "command_line/command.h"

namespace laban::tools {

struct ManPage {
  std::string name;  // "laban-bench-load.1"
  std::string roff;
};

/// One page for the program and one for each command, in the man macros of groff and mandoc.
std::vector<ManPage> man_pages(const Command& program, const std::string& version);

}  // namespace laban::tools
