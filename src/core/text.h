// Text for people, made the same way everywhere.
#pragma once

#include <cmath>
#include <cstdio>
#include <sstream>
#include <string>
#include <string_view>

namespace laban {

/// The elements of a range with `separator` between them, each printed as an ostream would: "1, 2, 3".
template <class Range>
std::string join(const Range& range, std::string_view separator = ", ") {
  std::ostringstream out;
  bool first = true;
  for (const auto& element : range) {
    if (!first) out << separator;
    out << element;
    first = false;
  }
  return out.str();
}

/// Appends `part` to `list`, with `separator` between them unless the list is empty.
inline void append(std::string& list, std::string_view part, std::string_view separator = ", ") {
  if (!list.empty()) list += separator;
  list += part;
}

/// "96.3%"; a dash for what is not finite.
inline std::string percent(double fraction, int decimals = 1) {
  if (!std::isfinite(fraction)) return "–";
  char buffer[64];
  std::snprintf(buffer, sizeof(buffer), "%.*f%%", decimals, 100 * fraction);
  return buffer;
}

}  // namespace laban
