// UTF-8, as the Unicode standard defines it (table 3-7): what JSON, TOML and safetensors files may hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace laban {

/// A character at the beginning of some text. `bytes` is 0 where there is none: the text is empty, or begins with
/// a byte that is no part of UTF-8 there.
struct Utf8Character {
  size_t bytes = 0;
  uint32_t code = 0;
};
Utf8Character first_character(std::string_view text);

bool is_utf8(std::string_view text);

}  // namespace laban
