#include "core/error.h"

#include "core/utf8.h"

namespace laban {
namespace {

/// Characters that a terminal acts on, or that change the order in which others appear.
bool is_control(uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x200e || code == 0x200f ||
         (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

}  // namespace

std::string visible(std::string_view raw) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string result;
  while (!raw.empty()) {
    const Utf8Character character = first_character(raw);
    const std::string_view bytes = raw.substr(0, character.bytes == 0 ? 1 : character.bytes);
    raw.remove_prefix(bytes.size());
    if (bytes == "\n" || bytes == "\t") {
      result += bytes == "\n" ? "\\n" : "\\t";
    } else if (character.bytes > 0 && !is_control(character.code)) {
      result += bytes;
    } else {
      for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        result += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
      }
    }
  }
  return result;
}

}  // namespace laban
