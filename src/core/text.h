// Text for people, made the same way everywhere.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

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

/// Characters of UTF-8 text: the columns that it takes, where none is wide.
inline size_t characters(std::string_view utf8) {
  size_t count = 0;
  for (const char c : utf8) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return count;
}

/// A word as a shell takes it: as it is, or in single quotes.
inline std::string shell_word(std::string_view word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+:@%,=";
  // Letters beyond ASCII need no quotes.
  const auto is_plain = [&](char c) {
    return static_cast<unsigned char>(c) >= 0x80 || kPlain.find(c) != std::string_view::npos;
  };
  bool plain = !word.empty();
  for (const char c : word) plain = plain && is_plain(c);
  if (plain) return std::string(word);
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

/// What stands between commas: "a,b" is a and b; nothing at all is an empty list.
inline std::vector<std::string> split_at_commas(const std::string& list) {
  std::vector<std::string> parts;
  for (size_t at = 0; at <= list.size() && !list.empty();) {
    const size_t comma = std::min(list.find(',', at), list.size());
    parts.push_back(list.substr(at, comma - at));
    at = comma + 1;
  }
  return parts;
}

/// "96.3%"; a dash for what is not finite.
inline std::string percent(double fraction, int decimals = 1) {
  if (!std::isfinite(fraction)) return "–";
  char buffer[64];
  std::snprintf(buffer, sizeof(buffer), "%.*f%%", decimals, 100 * fraction);
  return buffer;
}

}  // namespace laban
