// Filename patterns.
#include <doctest/doctest.h>

#include "core/error.h"
#include "data/dataset/filename_pattern.h"

using namespace laban;

TEST_CASE("patterns: both ways to write them, percent signs and braces in names") {
  for (const char* pattern : {"img_%05d.jpg", "img_{:05d}.jpg"}) {
    const FilenamePattern names = FilenamePattern::parse(pattern);
    CHECK(names.name(7) == "img_00007.jpg");
    CHECK(names.name(123456) == "img_123456.jpg");
    CHECK(names.number("img_00007.jpg") == 7);
    CHECK(names.number("img_123456.jpg") == 123456);
    for (const char* other : {"img_7.jpg", "img_0000007.jpg", "img_00007.png", "img_.jpg", "img_-0007.jpg",
                              "xmg_00007.jpg", "00007", ""})
      CHECK_FALSE(names.number(other).has_value());
    CHECK(names.pattern() == "img_%05d.jpg");
  }
  const FilenamePattern odd = FilenamePattern::parse("100%% {{a}_%d.png");
  CHECK(odd.name(0) == "100% {a}_0.png");
  CHECK(FilenamePattern::parse(odd.pattern()) == odd);
  for (const char* bad : {"", "img.jpg", "img_%05d_%d.jpg", "img_%5d.jpg", "%s.jpg", "{}.jpg", "{:05d.jpg",
                          "%", "%0d", "%099d"})
    CHECK_THROWS_AS(FilenamePattern::parse(bad), UsageError);
}

TEST_CASE("the rule behind a name: its last number") {
  const auto rule = FilenamePattern::of("a_b-1_7_0012.jpg");
  REQUIRE(rule.has_value());
  CHECK(rule->pattern() == "a_b-1_7_%04d.jpg");
  CHECK(rule->number("a_b-1_7_0012.jpg") == 12);
  CHECK(FilenamePattern::of("007")->name(8) == "008");
  CHECK(FilenamePattern::of("frame3.mp4")->name(3) == "frame3.mp4");
  CHECK_FALSE(FilenamePattern::of("none.jp2").has_value());  // a digit of the extension is no number
  CHECK_FALSE(FilenamePattern::of("12345678901234567890.jpg").has_value());
}
