// A run that was interrupted in any way and resumed ends with exactly the weights of an uninterrupted one, and
// so does one with another number of threads.
#include <doctest/doctest.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "core/error.h"
#include "core/files.h"
#include "core/safetensors.h"
#include "cpu/cpu_backend.h"
#include "support/program.h"
#include "train/train_fixture.h"
#include "train/trainer.h"

using namespace laban;
using test::Recorder;
using test::TemporaryFolder;
using test::wait_for;

namespace {

struct Bench {
  TemporaryFolder folder;
  Config config;
  Dataset dataset;

  Bench() : config(test::small_config(folder.path() / "data")) {
    test::write_moving_blobs(config.data.path, 6);
    dataset = open_dataset(config.data.path, dataset_settings(config));
    for (size_t i = 0; i < dataset.items.size(); ++i)
      dataset.items[i].split = i % 6 == 5 ? Split::val : Split::train;  // 20 and 4
    config.train.batch = 3;                                             // 6 batches an epoch
    config.train.accumulation = 2;
    config.clip.transform.flip = 0.5;
    config.optimizer.clip_norm = 1;
  }
  /// One sitting: stops itself after step `stop_after`, goes on from the folder's checkpoint where there is
  /// one.
  TrainingResult sit(const RunFolder& run, int64_t stop_after, int workers, int threads = 2,
                     std::vector<std::string>* notes = nullptr) {
    Config own = config;
    own.data.workers = workers;
    CpuBackend backend(threads);
    Recorder recorder;
    recorder.stop_after = stop_after;
    Trainer trainer(backend, own, dataset, run, recorder, recorder.stop);
    if (std::filesystem::exists(run.last())) trainer.resume(Checkpoint(run.last()));
    const TrainingResult result = trainer.run();
    if (notes) *notes = recorder.notes;
    return result;
  }
  RunFolder new_run(const char* name) const {
    const RunFolder run{folder.path() / name};
    run.create(false);
    return run;
  }
};

}  // namespace

TEST_CASE("2N steps at once are N steps, a stop, and N steps more, bit for bit") {
  Bench bench;
  SUBCASE("sgd") {}
  SUBCASE("adamw") { bench.config.optimizer.kind = OptimizerKind::adamw; }
  SUBCASE("bf16") { bench.config.machine.precision = Precision::bf16; }
  const RunFolder whole = bench.new_run("whole"), parts = bench.new_run("parts");
  CHECK(bench.sit(whole, -1, 2).state.step == 6);  // 2 epochs of 3 steps
  // Stops within an epoch, at an epoch's end (during validation), and again within; with other numbers of
  // workers, and of threads.
  CHECK(bench.sit(parts, 1, 1, 1).interrupted);
  CHECK(bench.sit(parts, 3, 3, 5).interrupted);
  CHECK(bench.sit(parts, 5, 2, 2).interrupted);
  CHECK(!bench.sit(parts, -1, 1, 3).interrupted);
  CHECK(test::tensors_of(whole.last()) == test::tensors_of(parts.last()));
  CHECK(test::tensors_of(whole.best()) == test::tensors_of(parts.best()));
  CHECK(test::timeless_rows(whole.metrics()) == test::timeless_rows(parts.metrics()));
}

TEST_CASE("thirty steps end with the same weights on 1, 2 and 7 threads") {
  Bench bench;
  SUBCASE("f32") {}
  SUBCASE("bf16") { bench.config.machine.precision = Precision::bf16; }
  bench.config.train.epochs = 10;
  const RunFolder one = bench.new_run("one");
  CHECK(bench.sit(one, -1, 1, 1).state.step == 30);
  for (const int threads : {2, 7}) {
    CAPTURE(threads);
    const RunFolder run = bench.new_run(threads == 2 ? "two" : "seven");
    CHECK(bench.sit(run, -1, 2, threads).state.step == 30);
    CHECK(test::tensors_of(run.last()) == test::tensors_of(one.last()));
    CHECK(test::timeless_rows(run.metrics()) == test::timeless_rows(one.metrics()));
  }
}

TEST_CASE("a run that dies between checkpoints repeats the lost steps and logs them once") {
  Bench bench;
  const RunFolder whole = bench.new_run("whole"), parts = bench.new_run("parts");
  bench.sit(whole, -1, 2);
  // A death after step 5 whose last checkpoint is that of step 2: what a kill leaves behind.
  bench.sit(parts, 2, 2);
  const std::string saved = read_file(parts.last());
  bench.sit(parts, 5, 2);
  write_file(parts.last(), saved);
  CHECK(test::timeless_rows(parts.metrics()).size() == 6);
  bench.sit(parts, -1, 2);
  CHECK(test::tensors_of(whole.last()) == test::tensors_of(parts.last()));
  CHECK(test::timeless_rows(whole.metrics()) == test::timeless_rows(parts.metrics()));
}

TEST_CASE("a run does not go on with other clips than it began with") {
  Bench bench;
  const RunFolder run = bench.new_run("run");
  bench.sit(run, 1, 1);
  bench.dataset.items[0].split = Split::test;
  CHECK_THROWS_WITH_AS(bench.sit(run, -1, 1), doctest::Contains("have changed since the run began"), Error);
}

TEST_CASE("a run does not go on with other pictures under the names of those it began with") {
  namespace fs = std::filesystem;
  Bench bench;
  const RunFolder run = bench.new_run("run");
  bench.sit(run, 1, 1);
  const fs::path clip = bench.dataset.items[0].path, other = bench.dataset.items[1].path,
                 kept = bench.folder.path() / "kept";
  fs::copy(clip, kept, fs::copy_options::recursive);
  fs::copy(other, clip, fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  for (const int workers : {1, 3})
    CHECK_THROWS_WITH_AS(bench.sit(run, -1, workers),
                         doctest::Contains(("have changed since the run began, under the same names: " +
                                            bench.dataset.items[0].name)
                                               .c_str()),
                         Error);

  // The old pictures again, but with new times, as in a copy of the dataset: told, no more.
  fs::copy(kept, clip, fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  const fs::file_time_type old = fs::file_time_type::clock::now() - std::chrono::hours(1);
  for (const fs::directory_entry& picture : fs::directory_iterator(clip)) fs::last_write_time(picture, old);
  std::vector<std::string> notes;
  bench.sit(run, 2, 1, 2, &notes);
  REQUIRE(notes.size() == 1);
  CHECK(notes[0].starts_with("1 clip has another modification time than when the run began"));
  CHECK(notes[0].ends_with(bench.dataset.items[0].name));
  bench.sit(run, 3, 1, 2, &notes);  // once
  CHECK(notes.empty());
}

TEST_CASE("a checkpoint whose counters contradict each other is not resumed") {
  Bench bench;
  const RunFolder run = bench.new_run("run");
  bench.sit(run, 2, 1);  // of 3 steps, 6 batches an epoch
  const SafetensorsFile whole(run.last());
  const std::string state = whole.metadata().at("state");
  for (const auto& [was, forged] :
       {std::pair("\"step\":2", "\"step\":3"), std::pair("\"batch\":4", "\"batch\":5"),
        std::pair("\"batches_run\":4", "\"batches_run\":4503599627370496"),
        std::pair("\"epoch\":0", "\"epoch\":1"), std::pair("\"batch\":4", "\"batch\":7")}) {
    CAPTURE(std::string(forged));
    auto metadata = whole.metadata();
    const size_t at = state.find(was);
    REQUIRE(at != std::string::npos);
    metadata["state"] = std::string(state).replace(at, std::string(was).size(), forged);
    std::vector<std::vector<std::byte>> bytes;
    std::vector<TensorToSave> tensors;
    for (const auto& [name, entry] : whole.entries()) {
      bytes.push_back(whole.bytes_of(entry));
      tensors.push_back({name, entry.type, entry.shape, bytes.back().data()});
    }
    const RunFolder other = bench.new_run("forged");
    write_safetensors(other.last(), tensors, metadata);
    CHECK_THROWS_WITH_AS(bench.sit(other, -1, 1), doctest::Contains("its state cannot be: "), FileError);
    std::filesystem::remove_all(other.path);
  }
}

TEST_CASE("a log that was shortened or removed is told, and goes on with whole rows") {
  namespace fs = std::filesystem;
  Bench bench;
  const RunFolder run = bench.new_run("run");
  bench.sit(run, 2, 1);
  const std::string log = read_file(run.metrics());
  std::vector<std::string> notes;
  const size_t first = log.find('\n') + 1;
  write_file(run.metrics(), log.substr(0, first + 10));  // in the middle of the second row
  bench.sit(run, 3, 1, 2, &notes);
  REQUIRE(notes.size() == 1);
  CHECK(notes[0].find("metrics.jsonl has been shortened: ") != std::string::npos);
  const std::string after = read_file(run.metrics());
  CHECK(after.starts_with(log.substr(0, first) + "{\"kind\":\"step\",\"epoch\":1,\"step\":3,"));
  fs::remove(run.metrics());
  bench.sit(run, 4, 1, 2, &notes);
  REQUIRE(notes.size() == 1);
  CHECK(notes[0].find("metrics.jsonl is gone: ") != std::string::npos);
  bench.sit(run, 5, 1, 2, &notes);
  CHECK(notes.empty());
}

namespace {

pid_t start(const std::vector<std::string>& arguments, const std::filesystem::path& log) {
  return test::start_program(arguments, log, log);
}

size_t rows_in(const std::filesystem::path& metrics) {
  if (!std::filesystem::exists(metrics)) return 0;
  const std::string bytes = read_file(metrics);
  return static_cast<size_t>(std::ranges::count(bytes, '\n'));
}

}  // namespace

TEST_CASE("kill -9 and --resume end with the weights of an undisturbed run, bit for bit") {
  TemporaryFolder folder;
  const auto data = folder.path() / "data", log = folder.path() / "log";
  test::write_moving_blobs(data, 10);
  const auto command = [&](const std::filesystem::path& run) {
    return std::vector<std::string>{
        "train", "--data",    data.string(), "--run",     run.string(), "--frames",
        "8",     "--size",    "16",          "--batch",   "2",          "--epochs",
        "3",     "--lr",      "0.01",        "--flip",    "0.5",        "--checkpoint-every",
        "3",     "--threads", "2",           "--dropout", "0.2",        "--optimizer",
        "sgd",   "--recipe",  "none",        "--no-floor"};
  };
  const RunFolder whole{folder.path() / "whole"}, killed{folder.path() / "killed"};
  REQUIRE_MESSAGE(wait_for(start(command(whole.path), log)) == 0, read_file(log));
  const size_t all_rows = rows_in(whole.metrics());
  REQUIRE(all_rows > 30);

  // Kill it at some moment after 5 more rows, three times: wherever it then is (a step, a checkpoint being
  // written).
  int kills = 0;
  pid_t child = start(command(killed.path), log);
  for (; kills < 3; ++kills) {
    const size_t target = 7 + 9 * static_cast<size_t>(kills);
    while (rows_in(killed.metrics()) < target && ::waitpid(child, nullptr, WNOHANG) == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ::kill(child, SIGKILL);
    REQUIRE(wait_for(child) == -SIGKILL);
    CHECK(rows_in(killed.metrics()) < all_rows);
    child = start({"train", "--resume", killed.path.string()}, log);
  }
  REQUIRE_MESSAGE(wait_for(child) == 0, read_file(log));
  CHECK(test::tensors_of(whole.last()) == test::tensors_of(killed.last()));
  CHECK(test::tensors_of(whole.best()) == test::tensors_of(killed.best()));
  CHECK(test::timeless_rows(whole.metrics()) == test::timeless_rows(killed.metrics()));

  // Ctrl-C instead: the step is finished, everything saved, and the program says how to go on.
  const RunFolder stopped{folder.path() / "stopped"};
  const auto stopped_log = folder.path() / "stopped.log";
  child = start(command(stopped.path), stopped_log);
  while (rows_in(stopped.metrics()) < 4) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  ::kill(child, SIGINT);
  CHECK(wait_for(child) == 1);
  CHECK(read_file(stopped_log).find("laban train --resume " + stopped.path.string()) != std::string::npos);
  REQUIRE(wait_for(start({"train", "--resume", stopped.path.string()}, log)) == 0);
  CHECK(test::tensors_of(whole.last()) == test::tensors_of(stopped.last()));
}
