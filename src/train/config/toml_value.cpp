#include "train/config/toml_value.h"

#include <charconv>
#include <cmath>

namespace laban {
namespace {

template <class T>
std::string digits_of(T value) {
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[32];
  std::string digits(buffer, std::to_chars(buffer, buffer + sizeof(buffer), value).ptr);
  if (digits.find_first_of(".e") == std::string::npos) digits += ".0";
  return digits;
}

}  // namespace

std::string toml_number(double value) { return digits_of(value); }
std::string toml_number(float value) { return digits_of(value); }

std::string toml_string(std::string_view value) {
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      out += '\\', out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      const char digits[] = "0123456789abcdef";
      out += "\\u00", out += digits[(c >> 4) & 15], out += digits[c & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string toml_as_flag(std::string toml) {
  const char first = toml.empty() ? '\0' : toml.front();
  if (toml.size() >= 2 && (first == '"' || first == '[' || first == '{'))
    toml = toml.substr(1, toml.size() - 2);
  if (first != '"') std::erase(toml, ' '), std::erase(toml, '"');
  return toml;
}

}  // namespace laban
