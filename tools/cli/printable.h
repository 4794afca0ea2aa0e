// Text that a terminal shows and does not obey.
#pragma once

#include <string>
#include <string_view>

#include "core/error.h"

namespace laban::tools {

/// visible() of each line: file and class names within may hold escape sequences.
inline std::string printable(std::string_view lines) {
  std::string shown;
  for (size_t at = 0;;) {
    const size_t end = lines.find('\n', at);
    shown += visible(lines.substr(at, end - at));
    if (end == std::string_view::npos) return shown;
    shown += '\n';
    at = end + 1;
  }
}

}  // namespace laban::tools
