// What the program says of itself.
#pragma once

#include <string>
#include <vector>

namespace laban::test {

/// "", "train", "bench", "bench load", ...: all that `laban help` takes.
const std::vector<std::string>& all_commands();
/// What `laban help COMMAND` prints.
std::string help_of(const std::string& command);

}  // namespace laban::test
