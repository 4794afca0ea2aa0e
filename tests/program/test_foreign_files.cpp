// What laban did not write, it does not overwrite; and it writes where the command line says, not where
// somebody's files say.
#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/files.h"
#include "support/program.h"
#include "support/temporary_folder.h"

using laban::read_file;
using laban::write_file;
using laban::test::laban_with;
using laban::test::TemporaryFolder;
using laban::test::words;
using Result = laban::test::ProgramResult;
namespace fs = std::filesystem;

namespace {

constexpr const char* kThesis = "path,label,split\nIt was a dark and stormy night.\n";

struct Studio {
  TemporaryFolder folder;
  fs::path data = folder.path() / "dances", run = folder.path() / "run",
           thesis = folder.path() / "thesis.txt";

  Studio() {
    REQUIRE(laban_with({"synth", data.string(), "--clips", "30", "--size", "32x32"}).code == 0);
    write_file(thesis, kThesis);
  }
  Result train(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> command{"train", "--data", data.string(), "--run", run.string()};
    for (const std::string& word : words("--frames 4 --size 16 --batch 4 --epochs 1 --threads 1 --workers 1 "
                                         "--recipe none --no-floor"))
      command.push_back(word);
    command.insert(command.end(), more.begin(), more.end());
    return laban_with(command);
  }
  void refuses(const std::vector<std::string>& command) const {
    CAPTURE(command[0]);
    const Result result = laban_with(command);
    CHECK(result.code == 2);
    CHECK_MESSAGE(result.says("is there already, and is not"), result.said);
    CHECK(result.says("It stays as it is"));
    CHECK(read_file(thesis) == kThesis);
  }
};

void succeeds(const std::vector<std::string>& command) {
  const Result result = laban_with(command);
  CHECK_MESSAGE(result.code == 0, command[0], ": ", result.said);
}

}  // namespace

TEST_CASE("an index, a packet cache, a report and its summary replace their own kind and nothing else") {
  const Studio studio;
  const std::string data = studio.data.string(), thesis = studio.thesis.string(), run = studio.run.string(),
                    out = (studio.folder.path() / "out").string();
  studio.refuses({"index", data, "-o", thesis});
  studio.refuses({"preview", data, "-o", out, "--clips", "1", "--index-cache", thesis});
  REQUIRE(studio.train().code == 0);
  REQUIRE(laban_with({"eval", "--run", run}).code == 0);
  studio.refuses({"report", run, "-o", thesis});
  studio.refuses({"report", run, "--summary", thesis});
  const Result resumed = laban_with({"train", "--resume", run, "--epochs", "2", "--index-cache", thesis});
  CHECK(resumed.code == 2);
  CHECK(read_file(studio.thesis) == kThesis);
  for (int i = 0; i < 2; ++i) {  // their own are replaced
    succeeds({"index", data, "-o", out + ".csv"});
    succeeds({"preview", data, "-o", out, "--clips", "1", "--index-cache", out + ".packets"});
    succeeds({"report", run, "--summary", out + ".json"});
  }
  CHECK(fs::file_size(out + ".packets") > 0);
  // A video where an index was meant to go, and a video where the report was.
  const fs::path video = studio.data / "waltz/train_00009.mp4";
  const std::string bytes = read_file(video);
  CHECK(laban_with({"index", data, "-o", video.string()}).code == 2);
  CHECK(laban_with({"report", run, "-o", video.string()}).code == 2);
  CHECK(read_file(video) == bytes);
}

TEST_CASE("a cache and a preview leave the tables, pages and pictures of others alone") {
  const Studio studio;
  const fs::path out = studio.folder.path() / "out";
  for (const char* name : {"laban-index.csv", "checksums.sha256"}) {
    CAPTURE(name);
    fs::create_directories(out);
    write_file(out / name, name == std::string("laban-index.csv")
                               ? "# laban index of 2 clips\npath,label,split\na.mp4,a,train\n"
                               : "0123  movie.mp4\n");
    const std::string before = read_file(out / name);
    const Result result = laban_with({"cache", studio.data.string(), "-o", out.string()});
    CHECK(result.code == 2);
    CHECK_MESSAGE(result.says(std::string(name) + ": is there already"), result.said);
    CHECK(read_file(out / name) == before);
    fs::remove_all(out);
  }
  for (const char* name : {"index.html", "clip-001.png"}) {
    CAPTURE(name);
    fs::create_directories(out);
    write_file(out / name, "mine");
    const Result result = laban_with({"preview", studio.data.string(), "-o", out.string(), "--clips", "2"});
    CHECK(result.code == 2);
    CHECK_MESSAGE(result.says(std::string(name) + ": is there already"), result.said);
    CHECK(read_file(out / name) == "mine");
    CHECK(!fs::exists(out / "clip-002.png"));
    fs::remove_all(out);
  }
  for (int i = 0; i < 2; ++i) {
    succeeds({"preview", studio.data.string(), "-o", (out / "pages").string(), "--clips", "2"});
    succeeds({"cache", studio.data.string(), "-o", (out / "copy").string()});
  }
}

TEST_CASE("no writer follows a link at a temporary file's name, or takes somebody's file for its own") {
  const Studio studio;
  REQUIRE(studio.train().code == 0);
  const fs::path folder = studio.folder.path();
  for (const char* name : {"z.pt", "z.safetensors", "z.onnx"}) {
    fs::create_symlink(studio.thesis, folder / (std::string(name) + ".tmp"));
    succeeds({"export", "--run", studio.run.string(), "--output", (folder / name).string()});
    CHECK(!fs::is_symlink(folder / name));
    CHECK(read_file(studio.thesis) == kThesis);
  }
  write_file(folder / "f.safetensors.tmp", "mine");
  CHECK(laban_with({"features", "--run", studio.run.string(), "--data", (folder / "nowhere").string(),
                    "--output", (folder / "f.safetensors").string()})
            .code != 0);
  CHECK(read_file(folder / "f.safetensors.tmp") == "mine");
  CHECK(!fs::exists(folder / "f.safetensors"));
  CHECK(laban_with({"eval", "--run", studio.run.string(), "--output", "/dev/null"}).code == 1);
  CHECK(fs::is_character_file("/dev/null"));
}

TEST_CASE("a checkpoint does not say where to write") {
  const Studio studio;
  const fs::path elsewhere = studio.folder.path() / "elsewhere/packets",
                 beside = studio.data / ".laban-packets";
  const std::string run = studio.run.string();
  REQUIRE(studio.train({"--index-cache", elsewhere.string()}).code == 0);
  REQUIRE(fs::exists(elsewhere));
  fs::remove_all(elsewhere.parent_path());
  ::setenv("XDG_CACHE_HOME", (studio.folder.path() / "users").c_str(), 1);
  succeeds({"train", "--resume", run, "--epochs", "2"});
  succeeds({"eval", "--run", run, "--split", "train"});
  succeeds({"features", "--run", run, "--output", (studio.folder.path() / "f.safetensors").string()});
  succeeds({"report", run, "--clips", "1"});
  CHECK(!fs::exists(elsewhere.parent_path()));
  CHECK(!fs::exists(beside));
  CHECK(fs::exists(studio.folder.path() / "users/laban"));
  // Where the command line says so, it is done.
  succeeds({"train", "--resume", run, "--epochs", "3", "--index-cache", elsewhere.string()});
  CHECK(fs::exists(elsewhere));
  succeeds(
      {"eval", "--run", run, "--split", "train", "--index-cache", "auto", "--data", studio.data.string()});
  CHECK(fs::exists(beside));
  ::unsetenv("XDG_CACHE_HOME");
}

TEST_CASE("a report is written of a run, not of any folder") {
  const Studio studio;
  const Result result = laban_with({"report", studio.data.string()});
  CHECK(result.code == 2);
  CHECK_MESSAGE(result.says("holds no run to report on"), result.said);
  CHECK(!fs::exists(studio.data / "report.html"));
}
