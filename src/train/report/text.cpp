#include "train/report/text.h"

#include <array>
#include <charconv>
#include <cmath>

namespace laban::report {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// Bytes of the well-formed UTF-8 sequence that starts `s`, 0 where there is none (RFC 3629: no overlong
/// forms, no surrogates, nothing above U+10FFFF).
size_t utf8_length(std::string_view s) {
  const auto at = [&](size_t i) { return static_cast<uint8_t>(s[i]); };
  const uint8_t lead = at(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xC2 && lead <= 0xDF   ? 2
                        : (lead & 0xF0) == 0xE0        ? 3
                        : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                       : 0;
  if (length == 0 || s.size() < length) return 0;
  const uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (at(1) < low || at(1) > high) return 0;
  for (size_t i = 2; i < length; ++i)
    if ((at(i) & 0xC0) != 0x80) return 0;
  return length;
}

std::string escape_with(std::string_view raw, bool keep_lines) {
  std::string out;
  out.reserve(raw.size() + raw.size() / 8);
  for (size_t i = 0; i < raw.size();) {
    const size_t length = utf8_length(raw.substr(i));
    const uint8_t c = static_cast<uint8_t>(raw[i]);
    if (length == 0) {
      out += kReplacement;
    } else if (length > 1) {
      out += raw.substr(i, length);
    } else if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else if (c == '\'') {
      out += "&#39;";
    } else if (keep_lines && (c == '\n' || c == '\t')) {
      out += static_cast<char>(c);
    } else if (c < 0x20) {
      out += "\xE2\x90", out += static_cast<char>(0x80 + c);  // U+2400 + c: "symbol for ..."
    } else if (c == 0x7F) {
      out += "\xE2\x90\xA1";
    } else {
      out += static_cast<char>(c);
    }
    i += length == 0 ? 1 : length;
  }
  return out;
}

}  // namespace

std::string escape(std::string_view raw) { return escape_with(raw, false); }
std::string escape_lines(std::string_view raw) { return escape_with(raw, true); }

std::string fixed(double value, int decimals) {
  if (!std::isfinite(value)) return "–";
  std::array<char, 400> buffer{};
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed, decimals);
  const std::string result(buffer.data(), end.ptr);
  return result.starts_with('-') && result.find_first_not_of("-0.") == std::string::npos ? result.substr(1)
                                                                                         : result;
}

std::string brief(double value, int digits) {
  if (!std::isfinite(value)) return "–";
  std::array<char, 64> buffer{};
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::general, digits);
  return {buffer.data(), end.ptr};
}

std::string duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "–";
  const auto two = [](int64_t n) { return fixed(static_cast<double>(n) / 100, 2).substr(2); };  // 5: "05"
  if (seconds < 10) return fixed(seconds, 1) + " s";
  const int64_t whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 60) return std::to_string(whole) + " s";
  if (whole < 3600) return std::to_string(whole / 60) + " min " + two(whole % 60) + " s";
  return std::to_string(whole / 3600) + " h " + two(whole % 3600 / 60) + " min";
}

std::string counted(int64_t count, std::string_view noun, std::string_view plural) {
  std::string out = std::to_string(count) + " ";
  if (count == 1) return out.append(noun);
  return plural.empty() ? out.append(noun).append("s") : out.append(plural);
}

std::string base64(std::span<const uint8_t> bytes) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t held = std::min<size_t>(3, bytes.size() - i);
    uint32_t word = 0;
    for (size_t k = 0; k < 3; ++k) word = (word << 8) | (k < held ? bytes[i + k] : 0u);
    for (size_t k = 0; k < 4; ++k) out += k <= held ? alphabet[(word >> (18 - 6 * k)) & 63u] : '=';
  }
  return out;
}

}  // namespace laban::report
