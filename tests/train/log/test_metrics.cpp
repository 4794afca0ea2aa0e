#include "train/log/metrics.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"
#include "core/files.h"
#include "train/report/report_fixture.h"
#include "train/run_folder.h"

using namespace laban;

TEST_CASE("rows are JSON lines with the fields that the report reads") {
  const testing::TemporaryFolder folder;
  const auto path = folder.path() / "metrics.jsonl";
  MetricsLog log(path, 0);
  StepReport step{.epoch = 2, .step = 7, .loss = 1.5, .accuracy = 0.25, .lr = 0.1};
  step.clips_per_second = 12.5, step.waiting = 0.125, step.seconds = 3;
  log.add(step);
  log.add(EpochReport{
      .epoch = 2, .step = 7, .train_loss = 1.25, .train_accuracy = 0.5, .val_loss = 2, .val_accuracy = 0.75});
  log.add(EpochReport{.epoch = 3, .step = 8});
  EpochReport judged{
      .epoch = 4, .val_loss = 1, .val_accuracy = 0.5, .val_macro_f1 = 0.4, .val_balanced_accuracy = 0.3};
  judged.val_classes = {
      {.name = "a", .count = 4, .accuracy = 0.5, .ci95 = Interval{0.1, 0.9}, .precision = 0.25},
      {.name = "b"}};
  judged.best = true;
  log.add(judged);
  CHECK(log.flush() == std::filesystem::file_size(path));

  std::istringstream lines(read_file(path));
  std::string line;
  std::getline(lines, line);
  const auto first = nlohmann::json::parse(line);
  CHECK(first.at("kind") == "step");
  CHECK(first.at("epoch") == 2);
  CHECK(first.at("step") == 7);
  CHECK(first.at("loss") == 1.5);
  CHECK(first.at("accuracy") == 0.25);
  CHECK(first.at("lr") == 0.1);
  CHECK(first.at("clips_per_second") == 12.5);
  CHECK(first.at("waiting") == 0.125);
  CHECK(first.at("seconds") == 3);
  std::getline(lines, line);
  const auto second = nlohmann::json::parse(line);
  CHECK(second.at("kind") == "epoch");
  CHECK(second.at("train_loss") == 1.25);
  CHECK(second.at("val_accuracy") == 0.75);
  std::getline(lines, line);
  CHECK(nlohmann::json::parse(line).at("val_loss").is_null());
  CHECK(nlohmann::json::parse(line).at("best") == false);
  std::getline(lines, line);
  const auto last = nlohmann::json::parse(line);
  CHECK(last.at("best") == true);
  CHECK(last.at("val_macro_f1") == 0.4);
  CHECK(last.at("val_balanced_accuracy") == 0.3);
  CHECK(last.at("val_recall").dump() == "[0.5,null]");  // of a class without clips nothing is known
  CHECK(last.at("val_recall_ci95").dump() == "[[0.1,0.9],null]");
  CHECK(last.at("val_precision").dump() == "[0.25,null]");
}

TEST_CASE("a log goes on after what its checkpoint remembers") {
  const testing::TemporaryFolder folder;
  const auto path = folder.path() / "metrics.jsonl";
  uint64_t kept = 0;
  {
    MetricsLog log(path, 0);
    log.add(StepReport{.step = 1});
    kept = log.flush();
    log.add(StepReport{.step = 2});
  }
  const std::string before = read_file(path).substr(0, kept);
  {
    MetricsLog log(path, kept);
    log.add(StepReport{.step = 3});
  }
  const std::string after = read_file(path);
  CHECK(after.substr(0, kept) == before);
  CHECK(after.find("\"step\":2,") == std::string::npos);
  CHECK(after.find("\"step\":3,") != std::string::npos);
  MetricsLog shorter(path, 1'000'000);  // someone cut the file: no hole of zeros may appear
  CHECK(shorter.flush() == after.size());
}

TEST_CASE("a run folder is not overwritten unasked, and only its own files are removed") {
  const testing::TemporaryFolder folder;
  const RunFolder run{folder.path() / "a" / "b"};
  run.create(false);
  CHECK(!run.has_run());
  run.create(false);  // empty: no run yet
  write_file(run.config(), "x");
  write_file(run.evaluation("test", true), "x");
  write_file(run.path / "notes.txt", "mine");
  CHECK_THROWS_WITH_AS(run.create(false), doctest::Contains("already contains a run"), UsageError);
  CHECK_THROWS_WITH_AS(run.create(false), doctest::Contains("--resume"), UsageError);
  run.create(true);
  CHECK(!run.has_run());
  CHECK(!std::filesystem::exists(run.evaluation("test", true)));
  CHECK(read_file(run.path / "notes.txt") == "mine");
  CHECK_THROWS_AS(RunFolder{run.path / "notes.txt"}.create(false), FileError);
}

TEST_CASE("the checkpoint to evaluate is the best, else the last, else an error") {
  const testing::TemporaryFolder folder;
  const RunFolder run{folder.path()};
  CHECK_THROWS_WITH_AS(run.to_evaluate(), doctest::Contains("no checkpoint"), UsageError);
  write_file(run.last(), "x");
  CHECK(run.to_evaluate() == run.last());
  write_file(run.best(), "x");
  CHECK(run.to_evaluate() == run.best());
}

TEST_CASE("a name for a new run is not one that is taken") {
  const testing::TemporaryFolder folder;
  const auto base = folder.path() / "shapes";
  CHECK(hold_unused_folder(base, "a test").folder.path == base);
  CHECK(!std::filesystem::exists(base));  // nothing was written
  for (const char* taken : {"shapes", "shapes-2"}) {
    std::filesystem::create_directories(folder.path() / taken);
    write_file(folder.path() / taken / "config.toml", "x");
  }
  const HeldRun third = hold_unused_folder(base, "a test");
  CHECK(third.folder.path == folder.path() / "shapes-3");
  CHECK(hold_unused_folder(base, "another").folder.path == folder.path() / "shapes-4");
}
