#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "core/error.h"
#include "train/report/report.h"
#include "train/report/report_fixture.h"

using namespace laban;
using namespace laban::report;
using namespace laban::testing;

namespace {

const std::string kHostile = "a\"b'/<script>alert(1)</script>\n& <img src=x onerror=alert(2)>.mp4";

/// Walks over the tags of a page; empty where every element is closed in order, else what was wrong. Text
/// must hold no bare "<", attributes no bare quotes: either would break the walk.
std::string unbalanced(const std::string& html) {
  const std::set<std::string> empty_elements{"meta", "img", "br", "hr", "link", "input"};
  std::vector<std::string> open;
  size_t at = html.find("<html");
  while ((at = html.find('<', at)) != std::string::npos) {
    const bool closing = html[at + 1] == '/';
    const size_t begin = at + (closing ? 2 : 1);
    const size_t end = html.find_first_of(" \t\n/>", begin);
    if (end == std::string::npos || end == begin) return "a bare < at " + html.substr(at, 40);
    const std::string name = html.substr(begin, end - begin);
    size_t close = end;
    for (char quote = 0; close < html.size() && (quote || html[close] != '>'); ++close) {
      if (quote && html[close] == quote)
        quote = 0;
      else if (!quote && (html[close] == '"' || html[close] == '\''))
        quote = html[close];
      else if (html[close] == '<')
        return "< inside the tag " + html.substr(at, 60);
    }
    if (close >= html.size()) return "a tag without end: " + html.substr(at, 40);
    if (closing) {
      if (open.empty() || open.back() != name)
        return "</" + name + "> closes " + (open.empty() ? "nothing" : open.back());
      open.pop_back();
    } else if (html[close - 1] != '/' && !empty_elements.contains(name)) {
      open.push_back(name);
    }
    at = close;
  }
  return open.empty() ? "" : open.back() + " is never closed";
}

bool holds(const std::string& page, const std::string& part) { return page.find(part) != std::string::npos; }
size_t occurrences(const std::string& page, const std::string& part) {
  size_t count = 0;
  for (size_t at = page.find(part); at != std::string::npos; at = page.find(part, at + 1)) ++count;
  return count;
}

/// Three frames of 4 x 2 pixels.
ClipPictures small_clip(const std::string&) {
  ClipPictures clip;
  for (int t = 0; t < 3; ++t)
    clip.frames.push_back({4, 2, std::vector<uint8_t>(24, static_cast<uint8_t>(80 * t))});
  clip.numbers = {0, 5, 9};
  return clip;
}

ReportInput full_input(const TemporaryFolder& run) {
  run.write("config.toml", "[data]\npath = \"<b>bold</b>\"\n");
  run.write("metrics.jsonl", step_line(0, 1, 2.5) + step_line(0, 2, 2.25) + epoch_line(0, 2, 0.5) +
                                 step_line(1, 3, 2.0) + step_line(1, 4, 1.5) + epoch_line(1, 4, 0.75));
  auto evaluation = three_class_evaluation(kHostile);
  evaluation["classes"][2] = "spin <&> \"turn\"";
  evaluation["bad_files"] = {{{"file", "<broken>.mp4"}, {"reason", "moov atom\nnot found"}}};
  run.write("evaluation_test.json", evaluation.dump());
  run.write("data.json",
            R"({"data": "d", "layout": "flat", "on_bad_file": "exclude", "splits": [
                {"split": "train", "listed": 40, "left_out": [{"file": "<gone>.mp4", "reason": "not <there>"}]},
                {"split": "val", "listed": 5, "left_out": []}]})");
  auto control = three_class_evaluation();
  control["accuracy"] = 2.0 / 6, control["accuracy_ci95"] = {0.0968, 0.7}, control["single_frame"] = true;
  run.write("evaluation_test_single_frame.json", control.dump());
  ReportInput input;
  input.run = read_run(run.path());
  input.control = read_control(run.path(), "test");
  input.clips = small_clip;
  Dataset data;
  data.root = "data/<shapes>";
  data.classes = input.run.test->classes;
  for (int i = 0; i < 12; ++i)
    data.items.push_back({"x", "x", i % 3, "group " + std::to_string(i / 2),
                          i < 6   ? Split::train
                          : i < 9 ? Split::val
                                  : Split::test});
  input.dataset = data;
  return input;
}

}  // namespace

TEST_CASE("the balance checker itself finds faults") {
  CHECK(unbalanced("<html><p>a</p></html>") == "");
  CHECK(unbalanced("<html><p>a</html>") != "");
  CHECK(unbalanced("<html><p title=\"a\"b\">a</p></html>") != "");
  CHECK(unbalanced("<html><p>a < b</p></html>") != "");
  CHECK(unbalanced("<html><img src=\"x\"><line/></html>") == "");
}

TEST_CASE("the whole page: well-formed, self-contained, with the numbers that the run holds") {
  TemporaryFolder run;
  const ReportInput input = full_input(run);
  const std::string page = report_page(input);
  CHECK(unbalanced(page) == "");
  CHECK(report_page(input) == page);  // no clock, no chance

  // Nothing is fetched, nothing runs.
  CHECK_FALSE(holds(page, "http:"));
  CHECK_FALSE(holds(page, "https:"));
  CHECK_FALSE(holds(page, "<script"));
  CHECK_FALSE(holds(page, "<link"));
  CHECK_FALSE(holds(page, "@import"));
  CHECK_FALSE(holds(page, "<img src=x"));

  // Names from outside are text.
  CHECK(holds(
      page,
      "a&quot;b&#39;/&lt;script&gt;alert(1)&lt;/script&gt;␊&amp; &lt;img src=x onerror=alert(2)&gt;.mp4"));
  CHECK(holds(page, "spin &lt;&amp;&gt; &quot;turn&quot;"));
  CHECK(holds(page, "path = &quot;&lt;b&gt;bold&lt;/b&gt;&quot;\n"));
  CHECK(holds(page, "&lt;broken&gt;.mp4"));
  CHECK(holds(page, "1 of 40 clips in train, 0 of 5 clips in val, 1 of 7 clips in test"));
  CHECK(holds(page, "<td>train</td><td>&lt;gone&gt;.mp4</td><td class=\"words\">not &lt;there&gt;</td>"));
  CHECK(holds(page, "moov atom␊not found"));

  // Headline: the run, its interval, the control, chance.
  CHECK(holds(page, "<strong>4 of 6 test clips</strong> (66.7%; 95% interval 30.0% to 90.3%)"));
  CHECK(holds(page, "reaches 33.3% (9.7% to 70.0%): this run does not show that motion adds"));
  CHECK(holds(page, "The interval includes that"));
  CHECK(
      holds(page, "r2plus1d_tiny · 16 frames of 56×56 · 2 epochs · 4 steps · 8.0 s of training · 3 classes"));

  // Charts: loss, accuracy, learning rate, waiting; headline and classes; the matrix.
  CHECK(occurrences(page, "class=\"chart lines\"") == 4);
  CHECK(occurrences(page, "class=\"chart intervals\"") == 2);
  CHECK(occurrences(page, "class=\"chart confusion\"") == 1);
  CHECK(holds(page, "<title>validation, epoch 1 (step 4): 75.0%</title>"));
  CHECK(holds(page, "<title>circle recognized: 1 of 2 (50.0%)</title>"));
  CHECK(holds(page, "<title>circle taken for slide: 1 of 2 (50.0%)</title>"));
  CHECK(holds(page, "<title>slide: 2 of 2, 100.0% (95% interval 34.2% to 100.0%)</title>"));

  // Contact sheets: two wrong clips and one right of each class, three frames each, with their numbers.
  CHECK(occurrences(page, "<article class=\"clip wrong\">") == 2);
  CHECK(occurrences(page, "<article class=\"clip right\">") == 3);
  CHECK(occurrences(page, "src=\"data:image/png;base64,iVBORw0KGgo") == 15);
  CHECK(occurrences(page, "class=\"motion\"") == 5);  // the clip in motion, from a picture of its own
  CHECK(occurrences(page, "background-image:url(data:image/png;base64,iVBORw0KGgo") == 5);
  CHECK(occurrences(page, "animation:play 0.38s steps(3) infinite") == 5);
  CHECK(occurrences(page, "<figcaption>9</figcaption>") == 5);
  CHECK_FALSE(holds(page, "have changed since"));

  // Data: 2 + 1 + 1 clips of each class; one source lies in two splits.
  CHECK(holds(page, "<tr><td>circle</td><td>2</td><td>1</td><td>1</td><td>4</td></tr>"));
  CHECK(holds(page, "<tr><td>clips</td><td>6</td><td>3</td><td>3</td><td>12</td></tr>"));
  CHECK(holds(page, "<tr><td>sources</td><td>3</td><td>2</td><td>2</td><td>6</td></tr>"));
  CHECK(holds(page, "1 source has clips in more than one split"));
}

TEST_CASE("an empty run folder gives a page that says what is missing") {
  TemporaryFolder run;
  ReportInput input;
  input.run = read_run(run.path());
  const std::string page = report_page(input);
  CHECK(unbalanced(page) == "");
  CHECK(holds(page, "no metrics.jsonl"));
  CHECK(holds(page, "no config.toml"));
  CHECK(holds(page, "has not been evaluated"));
  CHECK(occurrences(page, "<svg") == 0);
}

TEST_CASE("only validation results: the page says so") {
  TemporaryFolder run;
  run.write("metrics.jsonl", step_line(0, 1, 2.5));
  run.write("evaluation_val.json", three_class_evaluation().dump());
  ReportInput input;
  input.run = read_run(run.path());
  input.control_note = "nobody trained it";
  const std::string page = report_page(input);
  CHECK(unbalanced(page) == "");
  CHECK(holds(page, "4 of 6 validation clips"));
  CHECK(holds(page, "There is no evaluation of the test split"));
  CHECK(holds(page, "nobody trained it"));
  CHECK(holds(page, "no validation results"));  // in metrics.jsonl
  CHECK_THROWS_AS(summary_json(input.run, {}, {}), Error);
}

TEST_CASE("a clip that cannot be shown, and one whose frames have changed, say so") {
  TemporaryFolder run;
  ReportInput input = full_input(run);
  input.clips = [](const std::string& file) -> ClipPictures {
    if (file == kHostile) throw FileError(file, "is not in data any more");
    ClipPictures clip = small_clip(file);
    clip.numbers = {0, 4, 9};
    return clip;
  };
  const std::string page = report_page(input);
  CHECK(unbalanced(page) == "");
  CHECK(occurrences(page, "is not in data any more") == 1);
  CHECK(occurrences(page, "have changed since") == 4);
}

TEST_CASE("hundreds of classes and long runs stay a page of bearable size") {
  TemporaryFolder run;
  nlohmann::json e = three_class_evaluation();
  std::vector<std::string> classes;
  std::vector<std::vector<int>> confusion(400, std::vector<int>(400, 0));
  for (int k = 0; k < 400; ++k) classes.push_back("class " + std::to_string(k)), confusion[k][k] = 3;
  e["classes"] = classes, e["confusion"] = confusion, e["predictions"] = nlohmann::json::array();
  run.write("evaluation_test.json", e.dump());
  std::string metrics;
  for (int step = 1; step <= 20000; ++step) metrics += step_line(0, step, 2.0 / step);
  run.write("metrics.jsonl", metrics);
  ReportInput input;
  input.run = read_run(run.path());
  const std::string page = report_page(input);
  CHECK(unbalanced(page) == "");
  CHECK(occurrences(page, "class=\"hit\"") == 400);
  CHECK(page.size() < 400'000);
}

TEST_CASE("which clips are shown") {
  TemporaryFolder run;
  run.write("evaluation_test.json", three_class_evaluation().dump());
  const Evaluation e = read_evaluation(run.path() / "evaluation_test.json");
  const auto wrong = surest_mistakes(e, 5);
  REQUIRE(wrong.size() == 2);
  CHECK(wrong[0]->file == "spin/b.mp4");
  CHECK(wrong[1]->file == "circle/a.mp4");
  CHECK(surest_mistakes(e, 1).size() == 1);
  const auto right = typical_hits(e, 5);
  REQUIRE(right.size() == 3);
  CHECK(right[0]->file == "circle/b.mp4");
  CHECK(right[1]->file == "slide/b.mp4");  // of two, the upper one
  CHECK(right[2]->file == "spin/a.mp4");
  CHECK(typical_hits(e, 2).size() == 2);
}

TEST_CASE("a PNG has its signature, its size and an end; wrong sizes are refused") {
  const auto png = encode_png({4, 2, std::vector<uint8_t>(24, 7)});
  const std::vector<uint8_t> start{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n', 0, 0, 0, 13, 'I',
                                   'H',  'D', 'R', 0,   0,    0,    4,    0,    0, 0, 2, 8,  2};
  REQUIRE(png.size() > start.size());
  CHECK(std::equal(start.begin(), start.end(), png.begin()));
  CHECK(std::string(png.end() - 8, png.end() - 4) == "IEND");
  CHECK_THROWS_AS(encode_png({4, 2, std::vector<uint8_t>(23)}), Error);
  CHECK_THROWS_AS(encode_png({0, 0, {}}), Error);
}

TEST_CASE("what laban wrote is known by its first bytes, and others' files are not taken for it") {
  TemporaryFolder run;
  const ReportInput input = full_input(run);
  const std::string page = report_page(input);
  CHECK(is_own_page(std::string_view(page).substr(0, 4096)));
  CHECK(is_own_page(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><title>demo · laban report</title>"));  // an older one
  CHECK(!is_own_page("<!DOCTYPE html>\n<html lang=\"en\"><head><title>A report on Laban</title>"));
  const std::string summary = summary_json(input.run, input.control, 61.5);
  CHECK(is_own_summary(summary));
  CHECK(!is_own_summary("{\n  \"accuracy\": 1\n}\n"));
  const auto png = encode_png({4, 2, std::vector<uint8_t>(24, 7)});
  const std::string bytes(png.begin(), png.end());
  CHECK(is_own_png(bytes));
  CHECK(!is_own_png(bytes.substr(0, 33) + bytes.substr(33 + 12 + 14)));  // without the chunk, as others write
  CHECK(!is_own_png(bytes.substr(0, 20)));
}

TEST_CASE("the summary holds what the demo promises") {
  TemporaryFolder run;
  const ReportInput input = full_input(run);
  const auto summary = nlohmann::json::parse(summary_json(input.run, input.control, 61.5));
  CHECK(summary["test_accuracy"] == doctest::Approx(4.0 / 6));
  CHECK(summary["single_frame_accuracy"] == doctest::Approx(2.0 / 6));
  CHECK(summary["chance"] == doctest::Approx(1.0 / 3));
  CHECK(summary["seconds"] == 61.5);
  CHECK(summary["test_clips"] == 6);
  const auto without = nlohmann::json::parse(summary_json(input.run, {}, {}));
  CHECK(without["single_frame_accuracy"].is_null());
  CHECK(without["seconds"].is_null());
}

TEST_CASE("a control that was trained on moving clips is not called trained on single frames") {
  TemporaryFolder run;
  ReportInput input = full_input(run);
  CHECK(trained_on_single_frames(run.path() / "nowhere"));
  CHECK_FALSE(trained_on_single_frames(run.path()));  // its config says nothing, so the default holds
  CHECK(holds(report_page(input), "trained and tested on clips with a single, repeated frame"));
  input.control_trained_so = false;
  CHECK(holds(report_page(input),
              "but trained on moving ones, and reaches 33.3% (9.7% to 70.0%). It has never seen such clips"));
  CHECK_FALSE(holds(report_page(input), "trained and tested on clips with a single, repeated frame"));
  run.write("config.toml", "[clip]\nsingle_frame = true\n");
  CHECK(trained_on_single_frames(run.path()));
}

TEST_CASE("the control is only what was made with single frames") {
  TemporaryFolder run;
  CHECK_THROWS_AS(read_control(run.path(), "test"), FileError);
  auto evaluation = three_class_evaluation();
  run.write("evaluation_test.json", evaluation.dump());
  run.write("data.json",
            R"({"data": "d", "layout": "flat", "on_bad_file": "exclude", "splits": [
                {"split": "train", "listed": 40, "left_out": [{"file": "<gone>.mp4", "reason": "not <there>"}]},
                {"split": "val", "listed": 5, "left_out": []}]})");
  CHECK_THROWS_AS(read_control(run.path(), "test"), FileError);
  evaluation["single_frame"] = true;
  run.write("evaluation_test.json", evaluation.dump());
  run.write("data.json",
            R"({"data": "d", "layout": "flat", "on_bad_file": "exclude", "splits": [
                {"split": "train", "listed": 40, "left_out": [{"file": "<gone>.mp4", "reason": "not <there>"}]},
                {"split": "val", "listed": 5, "left_out": []}]})");
  CHECK(read_control(run.path(), "test").single_frame);
  CHECK_THROWS_AS(read_control(run.path(), "val"), FileError);
}

TEST_CASE(
    "the page says what wrote it and when, whose weights were measured, and that nothing was left out") {
  TemporaryFolder run;
  run.write(
      "evaluation_test.json",
      R"({"split":"test","clips":2,"classes":["a","b"],"accuracy":0.5,"confusion":[[1,0],[1,0]],"epoch":7,)"
      R"("per_class":[{"class":"a","count":1,"correct":1,"accuracy":1},)"
      R"({"class":"b","count":1,"correct":0,"accuracy":0}],"predictions":[],"bad_files":[]})");
  ReportInput input;
  input.run = read_run(run.path());
  input.date = "2031-02-03";
  const std::string page = report_page(input);
  CHECK(holds(page, "laban 0."));
  CHECK(holds(page, ", on 2031-02-03, from "));
  CHECK(holds(page, "Measured with the weights of epoch 7.</p>"));
  CHECK(holds(page, "No files were left out."));
  // A small matrix keeps letters of the size that the others have.
  const size_t at = page.find("<div style=\"max-width:");
  REQUIRE(at != std::string::npos);
  CHECK(std::stod(page.substr(at + 22)) < 420);
}
