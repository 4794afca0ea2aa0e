// UTF-8, against an encoder written for this test and against the number of sequences that there are.
#include "core/utf8.h"

#include <doctest/doctest.h>

#include <string>

#include "core/error.h"
#include "core/nesting.h"

using namespace laban;

namespace {

std::string encoded(uint32_t code) {
  const auto byte = [](uint32_t value) { return static_cast<char>(value); };
  if (code < 0x80) return {byte(code)};
  if (code < 0x800) return {byte(0xc0 | code >> 6), byte(0x80 | (code & 63))};
  if (code < 0x10000)
    return {byte(0xe0 | code >> 12), byte(0x80 | (code >> 6 & 63)), byte(0x80 | (code & 63))};
  return {byte(0xf0 | code >> 18), byte(0x80 | (code >> 12 & 63)), byte(0x80 | (code >> 6 & 63)),
          byte(0x80 | (code & 63))};
}

}  // namespace

TEST_CASE("every character is UTF-8, and decodes to itself; surrogates are none") {
  int wrong = 0;
  for (uint32_t code = 0; code < 0x120000; ++code) {
    const std::string bytes = encoded(code);
    const bool valid = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    const Utf8Character found = first_character(bytes);
    wrong += is_utf8(bytes) != valid || (valid && (found.code != code || found.bytes != bytes.size()));
  }
  CHECK(wrong == 0);
}

TEST_CASE("there are as many sequences of two and three bytes as there are characters") {
  int two = 0, three = 0;
  for (int a = 0xc0; a < 0x100; ++a)
    for (int b = 0; b < 0x100; ++b) {
      const std::string pair{static_cast<char>(a), static_cast<char>(b)};
      two += is_utf8(pair);
      for (int c = 0x80; c < 0xc0; ++c) three += first_character(pair + static_cast<char>(c)).bytes == 3;
    }
  CHECK(two == 0x800 - 0x80);
  CHECK(three == 0x10000 - 0x800 - 0x800);
  CHECK(is_utf8(""));
  CHECK_FALSE(is_utf8("caf\xe9"));
  CHECK_FALSE(is_utf8("\xe3\x83"));  // cut
}

TEST_CASE("what a terminal would obey, and what is no text, is shown as its bytes") {
  CHECK(visible("ワルツ é") == "ワルツ é");
  CHECK(visible("caf\xe9!") == "caf\\xe9!");
  CHECK(visible("\x1b[31m\x07") == "\\x1b[31m\\x07");
  CHECK(visible("\xc2\x9b"
                "31m") == "\\xc2\\x9b31m");  // CSI in one character
  CHECK(visible("a\xe2\x80\xae"
                "b") == "a\\xe2\\x80\\xaeb");  // right to left from here
  CHECK(visible("\xc0\xaf") == "\\xc0\\xaf");
}

TEST_CASE("brackets are counted as deep as they nest, but not in strings") {
  const auto nested = [](size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); };
  for (const size_t levels : {size_t{1}, size_t{64}, size_t{100000}}) {
    CHECK(nests_deeper_than(nested(levels), levels - 1));
    CHECK_FALSE(nests_deeper_than(nested(levels), levels));
  }
  CHECK_FALSE(nests_deeper_than("[[],[],[],{\"a\":[]}]", 3));
  CHECK(nests_deeper_than("{\"a\":{\"b\":{\"c\":1}}}", 2));
  CHECK_FALSE(nests_deeper_than("[\"[[[[\\\"[[[[\", \"{{{\"]", 1));
  CHECK_FALSE(nests_deeper_than("]]]]]", 0));
}
