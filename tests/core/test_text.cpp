#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "core/hash.h"
#include "core/text.h"

using namespace laban;

TEST_CASE("join and append put separators between, never at an end") {
  CHECK(join(std::vector<int>{}) == "");
  CHECK(join(std::vector<int>{7}) == "7");
  CHECK(join(std::vector<std::string>{"a", "", "c"}, "; ") == "a; ; c");
  std::string list;
  append(list, "one");
  append(list, "two", " or ");
  CHECK(list == "one or two");
}

TEST_CASE("percent has one form") {
  CHECK(percent(0.9634) == "96.3%");
  CHECK(percent(1, 0) == "100%");
  CHECK(percent(std::nan("")) == "–");
}

TEST_CASE("FNV-1a gives the published numbers") {
  // The test vectors of its authors: the offset basis for nothing, and "a" and "foobar".
  CHECK(fnv1a(std::string_view("")) == 0xcbf29ce484222325u);
  CHECK(fnv1a(std::string_view("a")) == 0xaf63dc4c8601ec8cu);
  CHECK(fnv1a(std::string_view("foobar")) == 0x85944171f73967e8u);
  constexpr std::string_view kText = "foobar";
  CHECK(fnv1a(std::as_bytes(std::span(kText.data(), kText.size()))) == fnv1a(kText));
}
