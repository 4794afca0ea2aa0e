// laban index, frames, sample and check, run as a person or a script would.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "core/files.h"
#include "data/made_clips.h"
#include "support/program.h"

using namespace laban;
using test::laban_with;
using Result = test::ProgramResult;
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

std::vector<std::vector<std::string>> rows_of(const std::string& out) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(out);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    rows.emplace_back();
    for (std::string word; words >> word;) rows.back().push_back(word);
  }
  return rows;
}

void put(const fs::path& file, const std::string& content) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << content;
}

}  // namespace

TEST_CASE("frames: index, pts, key and MD5; the indices asked for, in their order; odd file names") {
  const test::Folder folder("program_frames");
  const fs::path file = folder.path() / "a 'b' \"c\"\nタンゴ.mkv";
  test::make_video(file, {.frames = 12, .gop = 5, .first_ms = 400});
  const Result all = laban_with({"frames", file.string(), "--md5"});
  REQUIRE(all.code == 0);
  CHECK(all.out.starts_with("# index pts key md5\n"));
  const auto rows = rows_of(all.out);
  REQUIRE(rows.size() == 12);
  for (size_t k = 0; k < 12; ++k) {
    REQUIRE(rows[k].size() == 4);
    CHECK(rows[k][0] == std::to_string(k));
    CHECK(rows[k][1] == std::to_string(400 + 40 * k));  // a Matroska tick is a millisecond
    CHECK(rows[k][3].size() == 32);
  }
  CHECK(rows[0][2] == "1");
  CHECK(rows[1][2] == "0");
  const auto some = rows_of(laban_with({"frames", file.string(), "--indices", "7,2,7", "--md5"}).out);
  REQUIRE(some.size() == 3);
  CHECK(some[0] == rows[7]);
  CHECK(some[1] == rows[2]);
  CHECK(some[2] == rows[7]);
  const auto without = rows_of(laban_with({"frames", file.string(), "--indices", "3"}).out);
  CHECK(without == std::vector<std::vector<std::string>>{{"3", "520", rows[3][2]}});
  const json document = json::parse(laban_with({"frames", file.string(), "--json", "--md5"}).out);
  CHECK(document["frames"] == 12);
  CHECK(document["list"][4]["md5"] == rows[4][3]);
  CHECK(document["list"][4]["seconds"].get<double>() == doctest::Approx(0.56));
}

TEST_CASE("frames: what cannot be listed is refused") {
  const test::Folder folder("program_frames_bad");
  const fs::path file = folder.path() / "v.mp4";
  test::make_video(file, {.frames = 5});
  const Result beyond = laban_with({"frames", file.string(), "--indices", "1,5"});
  CHECK(beyond.code == 2);
  CHECK(beyond.says("there is no frame 5"));
  CHECK(beyond.says("It has 5 frames, 0 to 4."));
  CHECK(laban_with({"frames", file.string(), "--indices", "-1"}).code == 2);
  CHECK(laban_with({"frames", file.string(), "--indices", "one"}).code == 2);
  CHECK(laban_with({"frames", folder.path().string()}).code == 2);
  const Result none = laban_with({"frames", (folder.path() / "none.mp4").string()});
  CHECK(none.code == 1);
  CHECK(none.says("there is no such file"));
  test::make_sound(folder.path() / "sound.wav");
  const Result sound = laban_with({"frames", (folder.path() / "sound.wav").string()});
  CHECK(sound.code == 1);
  CHECK(sound.says("is a sound file (WAV), not a video"));
}

TEST_CASE("index: writes what it found, says it, and is found again") {
  const test::Folder folder("program_index");
  for (const char* name : {"tango/a b.mp4", "tango/it's.mp4", "ワルツ/c\nd.mp4", "ワルツ/\"e\".mp4"})
    put(folder.path() / name, "x");
  const Result dry = laban_with({"index", folder.path().string(), "--dry-run"});
  CHECK(dry.code == 0);
  CHECK(dry.says("layout classes"));
  CHECK_FALSE(fs::exists(folder.path() / "laban-index.csv"));
  const Result made = laban_with({"index", folder.path().string()});
  CHECK(made.code == 0);
  const std::string table = read_file(folder.path() / "laban-index.csv");
  CHECK(table.find("tango/a b.mp4,tango,") != std::string::npos);
  CHECK(table.find("\"ワルツ/c\nd.mp4\",ワルツ,") != std::string::npos);
  CHECK(table.find("\"ワルツ/\"\"e\"\".mp4\",ワルツ,") != std::string::npos);
  CHECK(laban_with({"index", folder.path().string(), "--layout", "index", "--dry-run"}).says("layout index"));
  const Result asked = laban_with({"index", folder.path().string(), "--layout", "splits"});
  CHECK(asked.code == 1);
  CHECK(asked.says("expected folders train, val and test"));
  CHECK(laban_with({"index", folder.path().string(), "--layout", "kinetics"}).code == 2);
}

TEST_CASE("check: exit codes, the table, JSON") {
  const test::Folder folder("program_check");
  int first = 0;
  for (const char* name : {"tango/a b.mp4", "tango/it's.mp4", "ワルツ/c\nd.mp4", "ワルツ/\"e\".mp4"}) {
    test::make_video(folder.path() / "v.mp4", {.frames = 20, .first = first++});
    fs::create_directories((folder.path() / name).parent_path());
    fs::rename(folder.path() / "v.mp4", folder.path() / name);
  }
  const std::string root = folder.path().string();
  const Result clean = laban_with({"check", root});
  CHECK(clean.code == 0);
  CHECK(clean.says("0 problems, 0 remarks"));
  CHECK(clean.says("ワルツ"));
  CHECK(laban_with({"check", root, "--frames", "32"}).says("short (4)"));
  fs::copy(folder.path() / "tango/a b.mp4", folder.path() / "ワルツ/copy.mp4");
  put(folder.path() / "tango/broken.mp4", "nothing");
  const Result bad = laban_with({"check", root});
  CHECK(bad.code == 1);
  CHECK(bad.says("no-video (1)"));
  CHECK(bad.says("label-conflict (1)"));
  CHECK(bad.says("tango/broken.mp4 ["));
  const Result as_json = laban_with({"check", root, "--json"});
  CHECK(as_json.code == 1);
  const json document = json::parse(as_json.out);
  CHECK(document["clean"] == false);
  CHECK(document["complete"] == true);
  CHECK(document["counts"]["no-video"] == 1);
  CHECK(document["counts"]["rotated"] == 0);
  CHECK(document["classes"].size() == 2);
  CHECK(document["findings"][0]["kind"] == "no-video");
  CHECK(document["findings"][0]["level"] == "problem");
  CHECK(document["findings"][0]["clip"] == "tango/broken.mp4");
  CHECK(laban_with({"check", root, "--no-such-flag"}).code == 2);
  CHECK(laban_with({"check", root + "/none"}).code == 1);
}

TEST_CASE("cache, check: Ctrl-C is heard while the dataset is looked for") {
  const test::Folder folder("program_interrupted");
  const fs::path data = folder.path() / "data";
  // So many files that looking for them takes a while.
  for (const char* name : {"a", "b"}) {
    fs::create_directories(data / name);
    for (int i = 0; i < 20000; ++i) std::ofstream(data / name / (std::to_string(i) + ".mp4"));
  }
  const std::string copy = (folder.path() / "copy").string();
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"cache", data.string(), "-o", copy}, {"check", data.string()}}) {
    CAPTURE(command[0]);
    const fs::path said = folder.path() / ("said by " + command[0]);
    const pid_t program = test::start_program(command, said, said);
    int status = 0;
    bool interrupted = false;
    while (waitpid(program, &status, WNOHANG) == 0) {
      if (interrupted) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        continue;
      }
      std::error_code gone;  // the program may end at any moment
      for (fs::directory_iterator at("/proc/" + std::to_string(program) + "/fd", gone), end;
           !gone && at != end; at.increment(gone))
        if (fs::read_symlink(at->path(), gone).string().starts_with(data.string())) {
          kill(program, SIGINT);
          interrupted = true;
          break;
        }
    }
    CHECK(interrupted);
    CHECK(WIFEXITED(status));
    CHECK(read_file(said).find("Stopping at the next safe point") != std::string::npos);
  }
}

TEST_CASE("frames, check, cache, preview, train: SIGTERM is heard in the middle of a file") {
  const test::Folder folder("program_terminated");
  const fs::path data = folder.path() / "data", file = data / "a" / "v.ts";
  test::make_endless_video(file);
  test::make_endless_video(data / "b" / "v.ts");
  put(data / "split.csv", "path,label,split\na/v.ts,a,train\nb/v.ts,b,train\n");
  const auto made = [&](const char* name) { return (folder.path() / name).string(); };
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"frames", file.string()},
        {"check", data.string()},
        {"cache", data.string(), "-o", made("copy")},
        {"preview", data.string(), "-o", made("page")},
        {"preview", data.string(), "-o", made("page"), "--on-bad-file", "exclude"},
        {"train", "--data", data.string(), "--run", made("run"), "--batch", "2", "--epochs", "1", "--recipe",
         "none"}}) {
    CAPTURE(command[0]);
    const fs::path said = folder.path() / "said";
    fs::remove(said);
    const pid_t program = test::start_program(command, said, said);
    const auto reads = [&] {
      std::error_code gone;
      for (fs::directory_iterator at("/proc/" + std::to_string(program) + "/fd", gone), end;
           !gone && at != end; at.increment(gone)) {
        const fs::path open = fs::read_symlink(at->path(), gone);
        if (open.extension() == ".ts") return true;
      }
      return false;
    };
    const auto begin = std::chrono::steady_clock::now();
    const auto waited = [&] { return std::chrono::steady_clock::now() - begin; };
    int status = 0;
    bool told = false, ended = false;
    while (!ended && waited() < std::chrono::seconds(40)) {
      if (!told && reads()) told = kill(program, SIGTERM) == 0;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      ended = waitpid(program, &status, WNOHANG) == program;
    }
    if (!ended) kill(program, SIGKILL), waitpid(program, &status, 0);
    CHECK(told);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 1);
    CHECK(read_file(said).find("stopped") != std::string::npos);
  }
}

TEST_CASE("sample: the definition's table through the program") {
  const auto indices = [](std::vector<std::string> more) {
    std::vector<std::string> arguments{"sample"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Result result = laban_with(arguments);
    CHECK(result.code == 0);
    return json::parse(result.out).get<std::vector<int64_t>>();
  };
  const auto test_mode = [&](const char* n, const char* f, const char* s) {
    return indices({"--frames", n, "--segments", s, "--frames-per-segment", f, "--mode", "test"});
  };
  using Indices = std::vector<int64_t>;
  CHECK(test_mode("301", "1", "16") ==
        Indices{9, 28, 47, 65, 84, 103, 122, 141, 159, 178, 197, 216, 235, 253, 272, 291});
  CHECK(test_mode("17", "1", "5") == Indices{1, 5, 8, 11, 15});
  CHECK(test_mode("18", "4", "4") == Indices{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16});
  CHECK(test_mode("15", "1", "16") == Indices{0, 1, 2, 3, 4, 5, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14});
  CHECK(test_mode("3", "1", "5") == Indices{0, 0, 1, 2, 2});
  CHECK(test_mode("4", "8", "1") == Indices{0, 1, 2, 3, 3, 3, 3, 3});
  CHECK(indices({"--frames", "17", "--segments", "5", "--mode", "val", "--start", "100"}) ==
        Indices{101, 105, 108, 111, 115});

  const Indices drawn = indices({"--frames", "301", "--segments", "16", "--seed", "4"});
  REQUIRE(drawn.size() == 16);
  for (int64_t k = 0; k < 16; ++k) CHECK(drawn[static_cast<size_t>(k)] / 18 == k);
  CHECK(drawn == indices({"--frames", "301", "--segments", "16", "--seed", "4", "--mode", "train"}));
  CHECK(drawn != indices({"--frames", "301", "--segments", "16", "--seed", "5"}));
  CHECK(indices({"--frames", "9", "--segments", "3", "--frames-per-segment", "3", "--sampler",
                 "uniform-k"}) == Indices{0, 1, 2, 3, 4, 5, 6, 7, 8});
  CHECK(indices({"--frames", "20", "--segments", "3", "--frames-per-segment", "4", "--sampler", "uniform-k",
                 "--stride", "2"}) == Indices{0, 2, 4, 6, 6, 8, 10, 12, 13, 15, 17, 19});
  CHECK(indices({"--frames", "20", "--segments", "4", "--sampler", "dense", "--stride", "2", "--mode",
                 "test"}) == Indices{6, 8, 10, 12});
  CHECK(indices({"--frames", "20", "--segments", "4", "--sampler", "tsn-unbiased", "--mode", "test"}) ==
        Indices{2, 7, 12, 17});
  CHECK(laban_with({"sample", "--frames", "0"}).code == 2);
  CHECK(laban_with({"sample"}).code == 2);
  // Their sum must be a number that can be counted to.
  for (const char* start : {"9223372036854775807", "-9223372036854775808", "1099511627777"})
    CHECK(laban_with({"sample", "--frames", "5", "--segments", "2", "--start", start}).code == 2);
  CHECK(indices({"--frames", "5", "--segments", "2", "--mode", "test", "--start", "1099511627776"}) ==
        Indices{1099511627777, 1099511627779});
  CHECK(laban_with({"sample", "--frames", "9", "--mode", "some"}).code == 2);
  CHECK(laban_with({"sample", "--frames", "9", "--sampler", "none"}).code == 2);
}
