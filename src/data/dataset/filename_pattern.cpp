#include "data/dataset/filename_pattern.h"

#include <algorithm>
#include <charconv>

#include "core/error.h"

namespace laban {
namespace {

constexpr size_t kMostDigits = 15;  // more would not fit an int64_t safely

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The width in "05" (5) or "" (1); empty if it is not a zero-padded width.
std::optional<int> width_of(std::string_view text) {
  if (text.empty()) return 1;
  if (text.size() > 3 || text[0] != '0' || !std::ranges::all_of(text, is_digit)) return std::nullopt;
  int width = 0;
  std::from_chars(text.data(), text.data() + text.size(), width);
  return width >= 1 && width <= static_cast<int>(kMostDigits) ? std::optional(width) : std::nullopt;
}

[[noreturn]] void refuse(std::string_view pattern) {
  throw UsageError(
      text("\"", pattern, "\" is not a filename pattern"),
      "It needs exactly one number: img_%05d.jpg or img_{:05d}.jpg, for img_00001.jpg and so on.");
}

}  // namespace

FilenamePattern FilenamePattern::parse(std::string_view pattern) {
  FilenamePattern names;
  bool found = false;
  std::string* part = &names.prefix_;
  for (size_t at = 0; at < pattern.size(); ++at) {
    const char c = pattern[at];
    if (c != '%' && c != '{') {
      *part += c;
      continue;
    }
    if (pattern.substr(at, 2) == std::string(2, c)) {
      *part += c, ++at;
      continue;
    }
    // %05d or {:05d}
    const bool brace = c == '{';
    const size_t from = at + (brace ? 2 : 1), end = pattern.find('d', from);
    if (found || end == std::string_view::npos) refuse(pattern);
    if (brace && (pattern.substr(at, 2) != "{:" || pattern.substr(end, 2) != "d}")) refuse(pattern);
    const std::optional<int> width = width_of(pattern.substr(from, end - from));
    if (!width) refuse(pattern);
    names.digits_ = *width;
    found = true;
    part = &names.suffix_;
    at = brace ? end + 1 : end;
  }
  if (!found) refuse(pattern);
  return names;
}

std::optional<FilenamePattern> FilenamePattern::of(std::string_view file_name) {
  // The extension may contain a digit (.jp2); the number is before it.
  const size_t dot = file_name.rfind('.');
  const std::string_view stem = file_name.substr(0, dot == std::string_view::npos ? file_name.size() : dot);
  size_t end = stem.size();
  while (end > 0 && !is_digit(stem[end - 1])) --end;
  size_t begin = end;
  while (begin > 0 && is_digit(stem[begin - 1])) --begin;
  if (begin == end || end - begin > kMostDigits) return std::nullopt;
  FilenamePattern names;
  names.prefix_ = file_name.substr(0, begin);
  names.suffix_ = file_name.substr(end);
  names.digits_ = static_cast<int>(end - begin);
  return names;
}

std::string FilenamePattern::name(int64_t number) const {
  const std::string digits = std::to_string(number);
  const auto zeros = std::max<int64_t>(0, digits_ - static_cast<int64_t>(digits.size()));
  return prefix_ + std::string(static_cast<size_t>(zeros), '0') + digits + suffix_;
}

std::optional<int64_t> FilenamePattern::number(std::string_view file_name) const {
  if (file_name.size() <= prefix_.size() + suffix_.size() || !file_name.starts_with(prefix_) ||
      !file_name.ends_with(suffix_))
    return std::nullopt;
  const std::string_view digits =
      file_name.substr(prefix_.size(), file_name.size() - prefix_.size() - suffix_.size());
  if (digits.size() > kMostDigits || !std::ranges::all_of(digits, is_digit)) return std::nullopt;
  int64_t number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return name(number) == file_name ? std::optional(number) : std::nullopt;
}

std::string FilenamePattern::pattern() const {
  std::string out;
  const auto add = [&](const std::string& part) {
    for (const char c : part) {
      out += c;
      if (c == '%' || c == '{') out += c;
    }
  };
  add(prefix_);
  out += digits_ > 1 ? text("%0", digits_, "d") : "%d";
  add(suffix_);
  return out;
}

}  // namespace laban
