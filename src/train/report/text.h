// Text for the report: HTML escaping, numbers as people read them, base64.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace laban::report {

/// `raw` as HTML text, safe between tags and inside double- or single-quoted attributes. Control characters
/// (a file name may contain a newline) become their Unicode pictures; bytes that are not UTF-8 become U+FFFD.
std::string escape(std::string_view raw);
/// The same for multi-line text (a configuration file): newlines and tabs are preserved.
std::string escape_lines(std::string_view raw);

/// "0.250" for (0.25, 3). "–" for a value that is not finite. Independent of the locale.
std::string fixed(double value, int decimals);
/// The shortest form with at most `digits` significant digits: "0.01", "1e-05", "12500".
std::string brief(double value, int digits = 4);
/// "45 s", "3 min 20 s", "2 h 05 min".
std::string duration(double seconds);
/// "1 clip", "2 clips".
std::string counted(int64_t count, std::string_view noun, std::string_view plural = "");

std::string base64(std::span<const uint8_t> bytes);

}  // namespace laban::report
