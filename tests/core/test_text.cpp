#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
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

TEST_CASE("words for a shell: the shell itself reads them as they were") {
  CHECK(shell_word("runs/my-run_1.2") == "runs/my-run_1.2");
  for (const char* word :
       {"", "two words", "it's", "$HOME", "a\\b", "*", "-x", "two\nlines", "ダンス", "~", "#1"}) {
    CAPTURE(word);
    const std::string line = "printf %s " + shell_word(word);
    FILE* const shell = popen(line.c_str(), "r");
    REQUIRE(shell);
    char got[64] = {};
    const size_t size = std::fread(got, 1, sizeof(got) - 1, shell);
    CHECK(pclose(shell) == 0);
    CHECK(std::string(got, size) == word);
  }
}

TEST_CASE("what stands between commas; characters are no bytes") {
  CHECK(split_at_commas("").empty());
  CHECK(split_at_commas("a") == std::vector<std::string>{"a"});
  CHECK(split_at_commas("a,,b,") == std::vector<std::string>{"a", "", "b", ""});
  CHECK(characters("ダンス") == 3);
  CHECK(characters("") == 0);
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
