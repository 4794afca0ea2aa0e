// Several processes at one folder, and processes that are ended in the middle of things.
#include <doctest/doctest.h>
#include <sys/wait.h>

#include <csignal>

#include "core/files.h"
#include "core/folder_lock.h"
#include "core/sha256.h"
#include "support/program.h"
#include "train/train_fixture.h"

using namespace laban;
using test::laban_with;
using test::start_program;
using test::TemporaryFolder;
using test::wait_for;
using test::wait_until;
using Result = test::ProgramResult;
namespace fs = std::filesystem;

namespace {

size_t rows_in(const fs::path& metrics) {
  if (!fs::exists(metrics)) return 0;
  const std::string bytes = read_file(metrics);
  return static_cast<size_t>(std::ranges::count(bytes, '\n'));
}

bool has_temporary_file(const fs::path& folder) {
  std::error_code failed;
  return std::any_of(fs::directory_iterator(folder, failed), fs::directory_iterator(),
                     [](const auto& entry) { return is_temporary_name(entry.path().filename().native()); });
}

struct Bench {
  TemporaryFolder folder;
  fs::path data = folder.path() / "data", log = folder.path() / "log";
  RunFolder run{folder.path() / "run"};

  Bench() { test::write_moving_blobs(data, 8); }
  std::vector<std::string> train(const RunFolder& into, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> command{"train", "--data", data.string(), "--run", into.path.string()};
    for (const std::string& word :
         test::words("--frames 8 --size 16 --batch 4 --epochs 4 --threads 1 "
                     "--workers 1 --checkpoint-every 1 --optimizer sgd --recipe none --no-floor"))
      command.push_back(word);
    command.insert(command.end(), more.begin(), more.end());
    return command;
  }
  pid_t start(const std::vector<std::string>& arguments, const std::function<void()>& before = {}) const {
    return start_program(arguments, log, log, LABAN_PROGRAM, before);
  }
  /// Starts a run and stops the process in the midst of saving a checkpoint, after some steps.
  pid_t start_and_stop_in_a_save() const {
    const pid_t process = start(train(run));
    REQUIRE(wait_until([&] { return rows_in(run.metrics()) > 2 && has_temporary_file(run.path); }));
    stop(process);
    return process;
  }
  static void stop(pid_t process) {
    ::kill(process, SIGSTOP);
    int status = 0;
    REQUIRE(::waitpid(process, &status, WUNTRACED) == process);
    REQUIRE(WIFSTOPPED(status));
  }
  int let_go(pid_t process) const {
    ::kill(process, SIGCONT);
    return wait_for(process);
  }
  static void is_refused(const std::vector<std::string>& command, pid_t holder, const char* activity) {
    CAPTURE(command[0]);
    const Result result = laban_with(command);
    CHECK(result.code == 1);
    CHECK_MESSAGE(result.says("is in use by process " + std::to_string(holder) + " on "), result.said);
    CHECK(result.says(activity));
    CHECK(result.says("since 20"));
  }
  void is_as_undisturbed(const RunFolder& other) const {
    const RunFolder whole{folder.path() / "whole"};
    if (!whole.has_run()) REQUIRE(laban_with(train(whole)).code == 0);
    CHECK(test::tensors_of(whole.last()) == test::tensors_of(other.last()));
    CHECK(test::timeless_rows(whole.metrics()) == test::timeless_rows(other.metrics()));
    CHECK_FALSE(has_temporary_file(other.path));
    CHECK_FALSE(fs::exists(other.path / FolderLock::kLockFile));
  }
};

}  // namespace

TEST_CASE("a run that is going on is neither resumed nor replaced by another process") {
  const Bench bench;
  const pid_t first = bench.start_and_stop_in_a_save();
  const std::string run = bench.run.path.string();
  Bench::is_refused({"train", "--resume", run}, first, "(laban train)");
  Bench::is_refused(bench.train(bench.run, {"--overwrite"}), first, "(laban train)");
  Bench::is_refused({"cache", bench.data.string(), "-o", run}, first, "(laban train)");
  // It may be measured meanwhile.
  const Result measured = laban_with({"eval", "--run", run, "--split", "val"});
  CHECK_MESSAGE(measured.code == 0, measured.said);
  CHECK(bench.let_go(first) == 0);
  bench.is_as_undisturbed(bench.run);
}

TEST_CASE("a run whose process was killed is resumed at once, and what it left is cleared away") {
  const Bench bench;
  const pid_t first = bench.start_and_stop_in_a_save();
  ::kill(first, SIGKILL);
  const Result resumed = laban_with({"train", "--resume", bench.run.path.string()});
  CHECK_MESSAGE(resumed.code == 0, resumed.said);
  CHECK(wait_for(first) == -SIGKILL);
  bench.is_as_undisturbed(bench.run);
}

TEST_CASE("of two processes that resume a run, one does and the other says who") {
  const Bench bench;
  const pid_t first = bench.start_and_stop_in_a_save();
  ::kill(first, SIGKILL);
  wait_for(first);
  const std::vector<std::string> resume{"train", "--resume", bench.run.path.string()};
  const pid_t second = bench.start(resume), third = bench.start(resume);
  const int codes[] = {wait_for(second), wait_for(third)};
  // The second to come may have waited for the end of the other, and then finds nothing left to do.
  CHECK(std::ranges::count(codes, 0) >= 1);
  CHECK(std::ranges::count(codes, 0) + std::ranges::count(codes, 1) == 2);
  bench.is_as_undisturbed(bench.run);
}

TEST_CASE("two runs without a folder's name get folders of their own") {
  const Bench bench;
  std::vector<std::string> command = bench.train(bench.run);
  command.erase(command.begin() + 3, command.begin() + 5);  // --run and its value
  const auto in_folder = [&] { fs::current_path(bench.folder.path()); };
  const pid_t first = bench.start(command, in_folder), second = bench.start(command, in_folder);
  CHECK(wait_for(first) == 0);
  CHECK(wait_for(second) == 0);
  bench.is_as_undisturbed({bench.folder.path() / "runs/data"});
  bench.is_as_undisturbed({bench.folder.path() / "runs/data-2"});
}

TEST_CASE("a run is not replaced while it is being measured") {
  const Bench bench;
  REQUIRE(laban_with(bench.train(bench.run)).code == 0);
  const FolderUse reading(bench.run.path, FolderUse::Kind::read);  // as eval and report have it
  const Result result = laban_with(bench.train(bench.run, {"--overwrite"}));
  CHECK(result.code == 1);
  CHECK_MESSAGE(result.says("is being read by another process"), result.said);
  bench.is_as_undisturbed(bench.run);
}

TEST_CASE("two caches in one folder: the second is refused, and the first is whole") {
  const Bench bench;
  const fs::path copy = bench.folder.path() / "copy";
  const auto cache = [&](const char* side) {
    return std::vector<std::string>{"cache", bench.data.string(), "-o", copy.string(), "--short-side",
                                    side,    "--clips-per-shard", "1",  "--workers",   "1"};
  };
  const pid_t first = bench.start(cache("8"));
  REQUIRE(wait_until([&] { return has_temporary_file(copy); }));
  Bench::stop(first);
  Bench::is_refused(cache("12"), first, "(laban cache)");
  Bench::is_refused({"preview", bench.data.string(), "-o", copy.string(), "--clips", "1"}, first,
                    "(laban cache)");
  CHECK(bench.let_go(first) == 0);
  std::istringstream sums(read_file(copy / "checksums.sha256"));
  size_t files = 0;
  for (std::string sum, file; sums >> sum >> file; ++files) {
    Sha256 hash;
    hash.update(read_file(copy / file));
    CHECK_MESSAGE(hash.hex() == sum, file);
  }
  CHECK(files == 32);
  CHECK(laban_with(cache("12")).code == 0);  // afterwards it may
  CHECK_FALSE(has_temporary_file(copy));
}

TEST_CASE("two synths in one folder: the second is refused") {
  const TemporaryFolder folder;
  const fs::path dances = folder.path() / "dances", log = folder.path() / "log";
  const pid_t first = start_program(
      {"synth", dances.string(), "--clips", "200", "--size", "32x32", "--workers", "1"}, log, log);
  REQUIRE(wait_until([&] { return fs::exists(dances / "split.csv"); }));
  Bench::stop(first);
  Bench::is_refused({"synth", dances.string(), "--clips", "200", "--size", "32x32"}, first, "(laban synth)");
  ::kill(first, SIGKILL);
  CHECK(wait_for(first) == -SIGKILL);
  const Result second = laban_with({"synth", dances.string(), "--clips", "200", "--size", "32x32"});
  CHECK_MESSAGE(second.code == 0, second.said);
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(dances))
    CHECK(!entry.path().filename().string().starts_with(".laban-"));
}

TEST_CASE("a closed terminal (SIGHUP) saves the run, however often it is told; nohup keeps it going") {
  const Bench bench;
  pid_t process = bench.start(bench.train(bench.run));
  REQUIRE(wait_until([&] { return rows_in(bench.run.metrics()) > 2; }));
  for (int i = 0; i < 3; ++i) ::kill(process, SIGHUP);
  CHECK(wait_for(process) == 1);
  CHECK(read_file(bench.log).find("laban train --resume " + bench.run.path.string()) != std::string::npos);
  REQUIRE(laban_with({"train", "--resume", bench.run.path.string()}).code == 0);
  bench.is_as_undisturbed(bench.run);

  const RunFolder other{bench.folder.path() / "other"};
  process = bench.start(bench.train(other), [] { std::signal(SIGHUP, SIG_IGN); });
  REQUIRE(wait_until([&] { return rows_in(other.metrics()) > 2; }));
  ::kill(process, SIGHUP);
  CHECK(wait_for(process) == 0);
  bench.is_as_undisturbed(other);
}

TEST_CASE("a run that was ended before its first checkpoint is started anew by the same command") {
  const Bench bench;
  REQUIRE(laban_with(bench.train(bench.run)).code == 0);
  // As a kill leaves it that comes when the first checkpoint is being written.
  for (const fs::path& file : {bench.run.last(), bench.run.best()}) fs::remove(file);
  fs::resize_file(bench.run.metrics(), 0);
  write_file(bench.run.path / ".laban-0123456789abcdef.tmp", "half a checkpoint");
  write_file(bench.run.path / FolderLock::kLockFile,
             "laban lock: process 1 on somewhere (laban train) since 2020\n");

  const Result resumed = laban_with({"train", "--resume", bench.run.path.string()});
  CHECK(resumed.code == 2);
  CHECK_MESSAGE(resumed.says("had not begun to train"), resumed.said);
  CHECK(resumed.says("The same `laban train` command starts it again"));
  const Result anew = laban_with(bench.train(bench.run));
  CHECK_MESSAGE(anew.code == 0, anew.said);
  bench.is_as_undisturbed(bench.run);

  // What is more than that is kept: rows of steps, or a config that no run wrote.
  fs::remove(bench.run.last());
  fs::remove(bench.run.best());
  CHECK(laban_with(bench.train(bench.run)).says("already contains a run"));
  fs::remove(bench.run.metrics());
  write_file(bench.run.config(), "[train]\nepochs = 1\n");
  CHECK(laban_with(bench.train(bench.run)).says("already contains a run"));
}
