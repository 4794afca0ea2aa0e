#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "core/text.h"
#include "train/report/text.h"

using namespace laban::report;
using laban::percent;

TEST_CASE("escape leaves nothing that HTML could take for markup") {
  CHECK(escape("<script>alert('x')</script>") == "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;");
  CHECK(escape("a \"quoted\" & b") == "a &quot;quoted&quot; &amp; b");
  CHECK(escape("tänze/ワルツ 💃.mp4") == "tänze/ワルツ 💃.mp4");
}

TEST_CASE("escape shows control characters and repairs what is no UTF-8") {
  CHECK(escape("two\nlines\tand\x7f") == "two␊lines␉and␡");
  CHECK(escape(std::string("nul\0here", 8)) == "nul␀here");
  const std::string bad = "\xEF\xBF\xBD";
  CHECK(escape("\xff"
               "a") == bad + "a");
  CHECK(escape("cut \xE3\x83") == "cut " + bad + bad);
  CHECK(escape("\xC0\xBC") == bad + bad);                      // an overlong "<"
  CHECK(escape("\xED\xA0\x80") == bad + bad + bad);            // a surrogate
  CHECK(escape("\xF4\x90\x80\x80") == bad + bad + bad + bad);  // above U+10FFFF
  CHECK(escape_lines("a\n\tb<") == "a\n\tb&lt;");
}

TEST_CASE("numbers read the same everywhere") {
  CHECK(fixed(0.25, 3) == "0.250");
  CHECK(fixed(-0.0001, 2) == "0.00");
  CHECK(fixed(std::nan(""), 2) == "–");
  CHECK(fixed(1e300, 0).size() == 301);
  CHECK(brief(0.01) == "0.01");
  CHECK(brief(INFINITY) == "–");
  CHECK(percent(0.9333) == "93.3%");
  CHECK(percent(1, 0) == "100%");
  CHECK(duration(7.25) == "7.2 s");
  CHECK(duration(59.4) == "59 s");
  CHECK(duration(200) == "3 min 20 s");
  CHECK(duration(7500) == "2 h 05 min");
  CHECK(counted(1, "clip") == "1 clip");
  CHECK(counted(2, "class", "classes") == "2 classes");
}

TEST_CASE("base64 as RFC 4648 gives it") {
  const auto encode = [](const std::string& s) {
    return base64({reinterpret_cast<const uint8_t*>(s.data()), s.size()});
  };
  CHECK(encode("") == "");
  CHECK(encode("f") == "Zg==");
  CHECK(encode("fo") == "Zm8=");
  CHECK(encode("foo") == "Zm9v");
  CHECK(encode("foobar") == "Zm9vYmFy");
  CHECK(encode("\xff\xfe\xfd") == "//79");
}
