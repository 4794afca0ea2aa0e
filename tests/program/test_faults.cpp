// What goes wrong around a run: names nobody expected, files that go away, disks that are full. Always a
// clear error, nothing half-written, and a run that goes on when the fault is mended.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>
#include <thread>

#include "core/error.h"
#include "core/files.h"
#include "data/cache/cache.h"
#include "data/made_clips.h"
#include "data/video/video_index_store.h"
#include "support/program.h"

using namespace laban;
using doctest::Contains;
using test::laban_with;
using Result = test::ProgramResult;
namespace fs = std::filesystem;

namespace {

const std::vector<std::string> kOdd{"a b",    "it's",      "\"quoted\"", "two\nlines",
                                    "ダンス", "tab\tüber", "-dash",      "100%s{0}"};

/// Two classes of eight clips each, whose names and folders are as odd as file systems allow.
void make_odd_dataset(const fs::path& root) {
  int first = 0;
  for (const char* label : {"tango \"\n'", "ワルツ, fast"})
    for (const std::string& name : kOdd) {
      test::make_video(root / "v.mp4", {.width = 40, .height = 32, .frames = 12, .first = first++});
      fs::create_directories(root / label);
      fs::rename(root / "v.mp4", root / label / (name + ".mp4"));
    }
}

std::vector<std::string> train(const fs::path& data, const fs::path& run, int epochs,
                               const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments{"train",      "--data",   data.string(),         "--run",
                                     run.string(), "--epochs", std::to_string(epochs)};
  for (const char* word : {"--frames", "4", "--size", "16", "--batch", "2", "--threads", "2", "--workers",
                           "2", "--recipe", "none", "--no-floor"})
    arguments.emplace_back(word);
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

void succeeds(const std::vector<std::string>& arguments) {
  const Result result = laban_with(arguments);
  CHECK_MESSAGE(result.code == 0, arguments[0], ": ", result.said);
}

/// No file that is not meant to stay.
bool has_temporary_files(const fs::path& folder) {
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder))
    if (entry.path().extension() == ".tmp") return true;
  return false;
}

/// While it lives, no file of this process can grow beyond `bytes`, as if the disk were full then.
class SmallDisk {
 public:
  explicit SmallDisk(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before_) == 0);
    limit(bytes);
  }
  ~SmallDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  static void limit(rlim_t bytes) {
    rlimit now{};
    ::getrlimit(RLIMIT_FSIZE, &now);
    now.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &now);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

/// The program with a limit of its own on a resource.
Result with_limit(const std::vector<std::string>& arguments, decltype(RLIMIT_FSIZE) resource, rlim_t most) {
  const test::Folder folder("limited");
  Result result;
  result.code = test::wait_for(test::start_program(arguments, folder.path() / "out", folder.path() / "said",
                                                   LABAN_PROGRAM, [resource, most] {
                                                     rlimit now{};
                                                     ::getrlimit(resource, &now);
                                                     now.rlim_cur = most;
                                                     ::setrlimit(resource, &now);
                                                   }));
  result.out = read_file(folder.path() / "out");
  result.said = read_file(folder.path() / "said");
  return result;
}

}  // namespace

TEST_CASE("odd names go through every step; a network learns from a cache, and is measured on it") {
  const test::Folder folder("odd 'names'\n\"здесь\"");
  const fs::path data = folder.path() / "dances", copy = folder.path() / "the copy",
                 run = folder.path() / "a run";
  make_odd_dataset(data);
  succeeds({"index", data.string(), "--train-fraction", "0.5", "--val-fraction", "0.25"});
  const Result checked = laban_with({"check", data.string(), "--frames", "8"});
  CHECK_MESSAGE(checked.code == 0, checked.out, checked.said);
  CHECK(checked.says("16 clips in 16 files"));
  succeeds({"cache", data.string(), "-o", copy.string(), "--short-side", "32", "--workers", "2"});
  const Result copy_checked = laban_with({"check", copy.string(), "--frames", "8"});
  CHECK_MESSAGE(copy_checked.code == 0, copy_checked.out, copy_checked.said);
  CHECK(copy_checked.says("16 clips in 16 files, 192 frames"));

  // Scales, crops, flips and colors are drawn anew from the copy, as from the files.
  succeeds(train(copy, run, 1, {"--short-side-min", "18", "--short-side-max", "30", "--brightness", "0.3"}));
  succeeds({"eval", "--run", run.string(), "--data", copy.string(), "--views", "2", "--crops", "3"});
  const std::string evaluation = read_file(run / "evaluation_test.json");
  CHECK(evaluation.find("ワルツ") != std::string::npos);
  succeeds({"eval", "--run", run.string(), "--data", data.string()});
  succeeds({"report", run.string(), "--clips", "4"});
  CHECK(fs::file_size(run / "report.html") > 1000);
  for (const fs::path& source : {data, copy}) {
    const fs::path page = folder.path() / ("preview of " + source.filename().string());
    succeeds(
        {"preview", source.string(), "-o", page.string(), "--clips", "8", "--frames", "4", "--size", "16"});
    CHECK(fs::exists(page / "index.html"));
  }
  succeeds({"predict", (data / "ワルツ, fast/two\nlines.mp4").string(), "--run", run.string()});
}

TEST_CASE(
    "a file that goes away during training ends the run by its name; when it is back, the run goes on") {
  const test::Folder folder("vanished");
  const fs::path data = folder.path() / "data", run = folder.path() / "run",
                 gone = folder.path() / "gone.mp4";
  for (int i = 0; i < 12; ++i)
    test::make_video(data / (i % 2 ? "a" : "b") / ("clip" + std::to_string(i) + ".mp4"),
                     {.width = 40, .height = 32, .frames = 12, .first = i});
  const fs::path victim = data / "a/clip5.mp4";
  // Taken away once the run has saved itself; there are many more epochs than can have been by then.
  std::jthread thief([&](const std::stop_token& stop) {
    while (!fs::exists(run / "last.safetensors") && !stop.stop_requested())
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    if (!stop.stop_requested()) fs::rename(victim, gone);
  });
  const std::vector<std::string> long_run =
      train(data, run, 6, {"--checkpoint-every", "3", "--train-fraction", "0.99", "--val-fraction", "0"});
  const Result stopped = laban_with(long_run);
  thief.request_stop();
  thief.join();
  CHECK(stopped.code == 1);
  CHECK_MESSAGE(stopped.says(victim.string() + ": there is no such file"), stopped.said);
  CHECK_FALSE(has_temporary_files(run));
  const Result still_gone = laban_with({"train", "--resume", run.string()});
  CHECK(still_gone.code == 1);
  CHECK(still_gone.says("have changed since the run began"));
  fs::rename(gone, victim);
  fs::last_write_time(victim, fs::last_write_time(victim) - std::chrono::hours(1));  // as in a copy
  const Result resumed = laban_with({"train", "--resume", run.string()});
  CHECK_MESSAGE(resumed.code == 0, resumed.said);
  CHECK_MESSAGE(resumed.says("note: 1 clip has another modification time than when the run began"),
                resumed.said);
}

TEST_CASE(
    "a full disk: a checkpoint that cannot be written leaves the last one, and the run goes on from it") {
  const test::Folder folder("full_checkpoint");
  const fs::path data = folder.path() / "data", run = folder.path() / "run";
  for (int i = 0; i < 8; ++i)
    test::make_video(data / (i % 2 ? "a" : "b") / ("clip" + std::to_string(i) + ".mp4"),
                     {.width = 40, .height = 32, .frames = 12, .first = i});
  succeeds(train(data, run, 1));
  const auto before = test::bytes_of(run / "last.safetensors");
  const Result full =
      with_limit({"train", "--resume", run.string(), "--epochs", "2"}, RLIMIT_FSIZE, before.size() / 2);
  CHECK(full.code == 1);
  CHECK_MESSAGE(full.says("safetensors: cannot be written: File too large"), full.said);
  CHECK(full.says("Raise the limit on the size of files"));
  CHECK(test::bytes_of(run / "last.safetensors") == before);
  CHECK_FALSE(has_temporary_files(run));
  succeeds({"train", "--resume", run.string(), "--epochs", "2"});
  CHECK(test::bytes_of(run / "last.safetensors") != before);
}

TEST_CASE("a full disk: a cache says so, leaves nothing half-written, and goes on when there is room") {
  const test::Folder folder("full_cache");
  const fs::path data = folder.path() / "data", copy = folder.path() / "copy";
  for (int i = 0; i < 6; ++i)
    test::make_video(data / (i % 2 ? "a" : "b") / ("clip" + std::to_string(i) + ".mp4"),
                     {.frames = 5, .first = i});
  const Dataset dataset = open_dataset(data, {.split = {.train = 1, .val = 0}});
  // Also where bad clips are left out: a full disk is no fault of a clip.
  for (const OnBadFile policy : {OnBadFile::stop, OnBadFile::exclude}) {
    fs::remove_all(copy);
    const CacheSettings settings{.short_side = 32, .clips_per_shard = 2, .workers = 2, .on_bad_file = policy};
    CacheResult result;
    {
      const SmallDisk disk(1000);
      CHECK_THROWS_WITH_AS(make_cache(dataset, copy, settings, {}, result),
                           Contains(".labanshard: cannot be written: File too large"), FileError);
    }
    CHECK_FALSE(fs::exists(copy / kIndexFile));
    CHECK_FALSE(has_temporary_files(copy));
    REQUIRE(make_cache(dataset, copy, settings, {}, result));
    CHECK(result.clips == 6);
    CHECK(result.bad_files.empty());
  }
}

TEST_CASE("a full disk: a packet store that cannot be kept harms nobody") {
  const test::Folder folder("full_store");
  const fs::path data = folder.path() / "data", store = data / ".laban-packets";
  for (int i = 0; i < 6; ++i)
    test::make_video(data / (i % 2 ? "a" : "b") / ("clip" + std::to_string(i) + ".mp4"),
                     {.frames = 5, .first = i});
  const auto index = index_video(data / "a/clip1.mp4");
  {
    const SmallDisk disk(100);
    VideoIndexStore packets(store, data);
    packets.add(data / "a/clip1.mp4", {1, 2}, *index);
    CHECK(packets.save().find("File too large") != std::string::npos);
    CHECK(packets.find(data / "a/clip1.mp4", {1, 2}) != nullptr);
  }
  CHECK_FALSE(fs::exists(store));
  CHECK_FALSE(has_temporary_files(data));
  const std::vector<std::string> reading{"bench",   "load", data.string(), "--segments", "2",
                                         "--clips", "6",    "--size",      "16"};
  succeeds(reading);
  const auto bytes = fs::file_size(store);
  fs::remove(store);
  const Result full = with_limit(reading, RLIMIT_FSIZE, bytes - 1);
  CHECK_MESSAGE(full.code == 0, full.said);
  CHECK_FALSE(fs::exists(store));
  CHECK_FALSE(has_temporary_files(data));
}

TEST_CASE("a class whose name is not UTF-8 is refused before anything is trained") {
  const test::Folder folder("latin1_run");
  const fs::path data = folder.path() / "data", run = folder.path() / "run";
  for (int i = 0; i < 8; ++i)
    test::make_video(data / (i % 2 ? "tango" : "caf\xe9") / ("clip" + std::to_string(i) + ".mp4"),
                     {.width = 40, .height = 32, .frames = 8, .first = i});
  for (const std::vector<std::string>& line :
       {train(data, run, 1), {"index", data.string()}, {"check", data.string()}}) {
    const Result refused = laban_with(line);
    CHECK(refused.code == 1);
    CHECK_MESSAGE(refused.says("the name \"caf\\xe9\" (and others) is not UTF-8"), refused.said);
    CHECK_FALSE(refused.says("caf\xe9"));
  }
  CHECK_FALSE(fs::exists(run / "config.toml"));
  CHECK_FALSE(fs::exists(data / kIndexFile));
}

TEST_CASE("few descriptors stop a run by their name; no clip is left out for want of them") {
  const test::Folder folder("few_descriptors");
  const fs::path data = folder.path() / "data", run = folder.path() / "run";
  for (int i = 0; i < 12; ++i)
    test::make_video(data / (i % 2 ? "a" : "b") / ("clip" + std::to_string(i) + ".mp4"),
                     {.width = 40, .height = 32, .frames = 12, .first = i});
  bool refused = false, done = false;
  for (rlim_t most = 3; most <= 24 && !done; ++most) {
    CAPTURE(most);
    fs::remove_all(run);
    const Result result = with_limit(
        train(data, run, 1, {"--on-bad-file", "exclude", "--train-fraction", "0.99", "--val-fraction", "0"}),
        RLIMIT_NOFILE, most);
    CHECK_FALSE(result.says("left out"));
    CHECK_FALSE(result.says("internal error"));
    CHECK_FALSE(result.says("terminate called"));
    done = result.code == 0;
    if (done) continue;
    CHECK_MESSAGE(result.code > 0, result.said);
    refused = refused || result.says("Too many open files (EMFILE). This is a fault of the machine");
  }
  CHECK(refused);
  CHECK(done);
}

TEST_CASE("little memory: a sentence, whatever it is that there is no memory for") {
  if (with_limit({"--version"}, RLIMIT_AS, rlim_t{256} << 20).code != 0) {
    MESSAGE("not tested here: this program's libraries (CUDA's) need more addresses than its work does");
    return;
  }
  const test::Folder folder("little_memory");
  const fs::path data = folder.path() / "data";
  for (int i = 0; i < 8; ++i)
    test::make_video(data / (i % 2 ? "a" : "b") / ("clip" + std::to_string(i) + ".mp4"),
                     {.width = 320, .height = 240, .frames = 20, .first = i});
  const std::vector<std::vector<std::string>> lines{
      {"check", data.string(), "--workers", "6"},
      {"bench", "load", data.string(), "--workers", "6"},
      {"train", data.string(), "--run", (folder.path() / "run").string(), "--workers", "4", "--minutes",
       "0.05", "--epochs", "1", "--frames", "4", "--size", "32", "--threads", "2", "--batch", "2"},
      {"cache", data.string(), "-o", (folder.path() / "copy").string(), "--workers", "6"}};
  for (const std::vector<std::string>& line : lines) {
    CAPTURE(line[0]);
    CAPTURE(line[1]);
    int failed = 0;
    bool done = false;
    for (rlim_t mebibytes = 96; mebibytes <= 4096 && !done; mebibytes += mebibytes / 6) {
      CAPTURE(mebibytes);
      fs::remove_all(folder.path() / "copy");
      fs::remove_all(folder.path() / "run");
      const Result result = with_limit(line, RLIMIT_AS, mebibytes << 20);
      if (result.says("while loading shared libraries") ||
          result.says("cannot allocate memory in static TLS"))
        continue;
      done = result.code == 0 || result.says(" problems, ");  // which check finds
      CHECK_MESSAGE(result.code >= 0, result.said);
      CHECK_MESSAGE(result.code <= 2, result.said);
      CHECK_FALSE(result.says("terminate called"));
      CHECK_FALSE(result.says("internal error"));
      CHECK_FALSE(result.says("left out"));
      CHECK_FALSE(result.says("does not decode"));
      failed += !done;
      if (!done) CHECK_MESSAGE(result.said.find("laban: ") != std::string::npos, result.said);
    }
    CHECK(done);
    CHECK(failed > 0);
  }
}

TEST_CASE("predict prints as it goes, and what a terminal would obey as what it is") {
  const test::Folder folder("predict_goes");
  const fs::path data = folder.path() / "data", run = folder.path() / "run", clips = folder.path() / "clips",
                 out = folder.path() / "out", said = folder.path() / "said";
  for (int i = 0; i < 8; ++i)
    test::make_video(data / (i % 2 ? "a" : "b\x1b[31m") / ("clip" + std::to_string(i) + ".mp4"),
                     {.width = 40, .height = 32, .frames = 12, .first = i});
  succeeds(train(data, run, 1));
  test::make_video(clips / "\x1b]0;title\x07.mp4", {.width = 40, .height = 32, .frames = 12});
  for (int i = 0; i < 400; ++i) fs::copy_file(data / "a/clip1.mp4", clips / (std::to_string(i) + ".mp4"));
  const auto lines = [&] {
    const std::string text = fs::exists(out) ? read_file(out) : "";
    return std::ranges::count(text, '\n');
  };
  const pid_t process = test::start_program(
      {"predict", clips.string(), "--run", run.string(), "--batch", "4", "--threads", "1"}, out, said);
  CHECK(test::wait_until([&] { return lines() > 0; }));
  ::kill(process, SIGKILL);
  CHECK(test::wait_for(process) == -SIGKILL);
  CHECK(lines() < 401);

  fs::remove(out);
  std::ofstream(clips / "broken.mp4") << "no video";
  const Result all = laban_with({"predict", clips.string(), "--run", run.string(), "--batch", "50"});
  CHECK(all.code == 1);
  CHECK(all.says("broken.mp4"));
  CHECK(all.says("1 of 402 files could not be read"));
  CHECK(std::ranges::count(all.out, '\n') == 401);
  CHECK_FALSE(all.says("\x1b"));
  CHECK_FALSE(all.says("\x07"));
  CHECK(all.says("\\x1b]0;title\\x07.mp4:"));
  CHECK(all.says("b\\x1b[31m"));
  for (const std::vector<std::string>& line :
       {{"eval", "--run", run.string(), "--data", data.string(), "--split", "train"},
        {"index", data.string(), "--dry-run"},
        {"check", data.string()},
        train(data, folder.path() / "other", 1)}) {
    const Result shown = laban_with(line);
    CHECK_MESSAGE(!shown.says("\x1b["), line[0]);
    CHECK_MESSAGE((shown.says("b\\x1b[31m") || line[0] == "train"), line[0]);
  }
}

TEST_CASE("what lies among clips and is none: a folder called as a video, a link that leads nowhere") {
  const test::Folder folder("no_clips");
  const fs::path data = folder.path();
  for (const char* name : {"a/1.mp4", "a/2.mp4", "b/1.mp4", "b/2.mp4"})
    test::make_video(data / name, {.frames = 5});
  fs::create_symlink(data / "nowhere.mp4", data / "a/link.mp4");
  const Result checked = laban_with({"check", data.string()});
  CHECK(checked.code == 1);
  CHECK(checked.says("a/link.mp4"));
  CHECK(checked.says("there is no such file"));
  fs::remove(data / "a/link.mp4");
  fs::create_directory(data / "a/folder.mp4");
  CHECK(laban_with({"frames", (data / "a/folder.mp4").string()}).code == 2);
  std::vector<std::string> listed{
      "path,label,split\na/folder.mp4,a,train\nb/1.mp4,b,train\na/1.mp4,a,val\nb/2.mp4,b,test\n"};
  write_file(data / "split.csv", listed[0]);
  const Result unreadable = laban_with({"check", data.string()});
  CHECK(unreadable.code == 1);
  CHECK(unreadable.says("a/folder.mp4"));
}
