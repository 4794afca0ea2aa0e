#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include <cmath>

#include "core/error.h"
#include "core/files.h"
#include "train/evaluate/evaluation.h"
#include "train/report/report_fixture.h"
#include "train/report/run.h"

using namespace laban;
using namespace laban::report;
using namespace laban::testing;

TEST_CASE("a run folder is read row by row") {
  TemporaryFolder run;
  run.write("config.toml", "[model]\nname = \"r2plus1d_tiny\"\n");
  run.write("metrics.jsonl", step_line(0, 1, 2.5) + step_line(0, 2, 2.25) + epoch_line(0, 2, 0.75));
  run.write("evaluation_test.json", three_class_evaluation().dump());
  const RunRecord record = read_run(run.path());
  CHECK(record.notes.empty());
  CHECK(record.config.starts_with("[model]"));
  REQUIRE(record.steps.size() == 2);
  CHECK(record.steps[1].loss == 2.25);
  CHECK(record.steps[1].waiting == 0.25);
  CHECK(record.steps[0].clips_per_second == 20);
  REQUIRE(record.epochs.size() == 1);
  CHECK(record.epochs[0].val_accuracy == 0.75);
  CHECK(record.epochs[0].val_loss == 1.125);
  CHECK(training_seconds(record) == 4);
  REQUIRE(record.test);
  CHECK_FALSE(record.val);
  CHECK(record.test->correct == 4);
  CHECK(record.test->chance() == doctest::Approx(1.0 / 3));
  CHECK(record.test->majority_accuracy() == doctest::Approx(1.0 / 3));
  CHECK(record.test->confusion[2][0] == 1);
  CHECK(record.test->per_class[1].ci95->low == 0.3424);
  CHECK(record.test->predictions[0].confidence() == 0.75);
  CHECK_FALSE(record.test->predictions[0].right());
  CHECK(record.test->predictions[0].frames == std::vector<int64_t>{0, 5, 9});
}

TEST_CASE("what laban eval writes is what the report reads") {
  Dataset data;
  data.classes = {"left", "right"};
  for (const char* name : {"left/a.mp4", "left/b.mp4", "right/\"c\".mp4"})
    data.items.push_back({name, name, name[0] == 'r', name});
  Classified classified;
  classified.predictions = {{0, 0, 0, 0.5, {0.75, 0.25}, {0, 8}},
                            {1, 0, 1, 1.5, {0.25, 0.75}, {1, 9}},
                            {2, 1, 1, 0.25, {0.125, 0.875}, {2, 7}}};
  classified.bad_files = {{"right/d.mp4", "cut short"}};
  Evaluation written = summarize(classified, data, data.classes);
  written.split = "test", written.single_frame = true;
  TemporaryFolder run;
  run.write("evaluation_test.json", to_json(written));
  const Evaluation e = read_evaluation(run.path() / "evaluation_test.json");
  CHECK(e.split == "test");
  CHECK(e.single_frame);
  CHECK(e.classes == data.classes);
  CHECK(e.clips == 3);
  CHECK(e.correct == 2);
  CHECK(e.accuracy == doctest::Approx(2.0 / 3));
  CHECK(e.loss == doctest::Approx(0.75));
  CHECK(e.mean_class_accuracy == doctest::Approx(0.75));
  CHECK(e.top5_accuracy == 1);
  REQUIRE(e.ci95);
  CHECK(e.ci95->low == doctest::Approx(written.ci95->low));
  CHECK(e.ci95->high == doctest::Approx(written.ci95->high));
  CHECK(e.confusion == std::vector<std::vector<int64_t>>{{1, 1}, {0, 1}});
  REQUIRE(e.per_class.size() == 2);
  CHECK(e.per_class[0].name == "left");
  CHECK(e.per_class[0].accuracy == 0.5);
  REQUIRE(e.predictions.size() == 3);
  CHECK(e.predictions[2].file == "right/\"c\".mp4");
  CHECK(e.predictions[2].confidence() == 0.875);
  CHECK(e.predictions[1].frames == std::vector<int64_t>{1, 9});
  REQUIRE(e.bad_files.size() == 1);
  CHECK(e.bad_files[0].reason == "cut short");
}

TEST_CASE("a last line that was cut short is left out, and said so") {
  TemporaryFolder run;
  run.write("config.toml", "a = 1\n");
  run.write("metrics.jsonl", step_line(0, 1, 2.5) + R"({"kind":"step","ep)");
  const RunRecord record = read_run(run.path());
  CHECK(record.steps.size() == 1);
  REQUIRE(record.notes.size() == 1);
  CHECK(record.notes[0].find("cut short") != std::string::npos);
}

TEST_CASE("damaged lines in the middle are counted") {
  TemporaryFolder run;
  run.write("config.toml", "a = 1\n");
  run.write("metrics.jsonl", step_line(0, 1, 2.5) + "garbage\n[1,2]\n\n" + step_line(0, 2, 2.0));
  const RunRecord record = read_run(run.path());
  CHECK(record.steps.size() == 2);
  REQUIRE(record.notes.size() == 1);
  CHECK(record.notes[0].find("2 lines") != std::string::npos);
}

TEST_CASE("a step that was logged twice counts as logged last, in order of steps") {
  TemporaryFolder run;
  run.write("metrics.jsonl",
            step_line(0, 1, 2.5) + step_line(0, 2, 2.0) + step_line(0, 3, 1.5) + step_line(0, 2, 1.75));
  const RunRecord record = read_run(run.path());
  REQUIRE(record.steps.size() == 3);
  CHECK(record.steps[1].step == 2);
  CHECK(record.steps[1].loss == 1.75);
}

TEST_CASE("what is null or absent is missing, not zero") {
  TemporaryFolder run;
  run.write("metrics.jsonl", R"({"kind":"epoch","epoch":0,"step":5,"train_loss":null,"val_loss":"x"})"
                             "\n");
  const RunRecord record = read_run(run.path());
  REQUIRE(record.epochs.size() == 1);
  CHECK(std::isnan(record.epochs[0].train_loss));
  CHECK(std::isnan(record.epochs[0].val_loss));
  CHECK(std::isnan(record.epochs[0].val_accuracy));
}

TEST_CASE("an evaluation that contradicts itself is refused by name") {
  TemporaryFolder run;
  auto evaluation = three_class_evaluation();
  SUBCASE("no JSON") { run.write("evaluation_test.json", "{\"split\":"); }
  SUBCASE("a label outside the classes") {
    evaluation["predictions"][0]["label"] = 3;
    run.write("evaluation_test.json", evaluation.dump());
  }
  SUBCASE("a matrix of another size") {
    evaluation["confusion"][1] = {1, 2};
    run.write("evaluation_test.json", evaluation.dump());
  }
  SUBCASE("too few probabilities") {
    evaluation["predictions"][2]["probabilities"] = {1.0};
    run.write("evaluation_test.json", evaluation.dump());
  }
  SUBCASE("no classes") { run.write("evaluation_test.json", "{}"); }
  CHECK_THROWS_AS(read_evaluation(run.path() / "evaluation_test.json"), FileError);
  // For the report it is one more thing that is missing, with a sentence that names the file.
  const RunRecord record = read_run(run.path());
  CHECK_FALSE(record.test);
  CHECK(record.notes.back().find("evaluation_test.json") != std::string::npos);
}

TEST_CASE("a folder that does not exist is the user's mistake") {
  CHECK_THROWS_AS(read_run("/nonexistent/run"), UsageError);
}

TEST_CASE("an evaluation of laban 0.1 is read, and written again it holds the same") {
  const auto file = std::filesystem::path(LABAN_SOURCE_DIR) / "tests/golden/run_0.1/evaluation_test.json";
  const Evaluation e = read_evaluation(file);
  CHECK(e.clips == 4);
  CHECK(e.classes.size() == 10);
  REQUIRE(e.predictions.size() == 4);
  CHECK(e.predictions[0].probabilities.size() == 10);
  CHECK(e.predictions[0].frames.size() == 4);
  CHECK(e.views.count() == 1);
  auto written = nlohmann::ordered_json::parse(to_json(e));
  // What laban 0.1 did not know yet.
  CHECK(written["macro_f1"].is_null());
  CHECK(written["epoch"] == 0);
  for (const char* key : {"macro_f1", "epoch", "clip_settings"}) written.erase(key);
  for (auto& row : written["per_class"])
    for (const char* key : {"predicted", "precision", "precision_ci95", "f1"}) row.erase(key);
  CHECK(written.dump(2) + "\n" == read_file(file));
}
