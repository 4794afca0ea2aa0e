// The program with stdin, stdout and stderr in whatever state somebody leaves them.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "core/files.h"
#include "support/program.h"
#include "support/temporary_folder.h"

using laban::read_file;
using laban::test::laban_with;
using laban::test::start_program;
using laban::test::TemporaryFolder;
using laban::test::wait_for;
using laban::test::words;
namespace fs = std::filesystem;

namespace {

/// Dances, and a command that trains on them for two epochs.
struct Dances {
  TemporaryFolder folder;
  fs::path data = folder.path() / "dances", log = folder.path() / "log";
  Dances() { REQUIRE(laban_with({"synth", data.string(), "--clips", "30", "--size", "32x32"}).code == 0); }

  std::vector<std::string> train(const fs::path& run) const {
    std::vector<std::string> command{"train", "--data", data.string(), "--run", run.string()};
    for (const std::string& word :
         words("--frames 4 --size 16 --batch 4 --epochs 2 --threads 1 --workers 1 --checkpoint-every 1 "
               "--recipe none --no-floor"))
      command.push_back(word);
    return command;
  }
  int run(const std::vector<std::string>& arguments, const std::function<void()>& before) const {
    return wait_for(start_program(arguments, log, log, LABAN_PROGRAM, before));
  }
};

void redirect_stdout(const char* to) { ::dup2(::open(to, O_WRONLY), STDOUT_FILENO); }

/// A pipe that nobody reads in the place of `stream`.
void break_pipe(int stream) {
  int ends[2];
  if (::pipe(ends) != 0) ::_exit(126);
  ::dup2(ends[1], stream);
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace

TEST_CASE("messages go into no file where stdin, stdout and stderr are closed") {
  const Dances dances;
  const fs::path run = dances.folder.path() / "run";
  SUBCASE("all three") {
    CHECK(dances.run(dances.train(run), [] {
      for (const int stream : {0, 1, 2}) ::close(stream);
    }) == 0);
  }
  SUBCASE("stdout alone") {
    CHECK(dances.run(dances.train(run), [] { ::close(1); }) == 0);
  }
  SUBCASE("stderr alone") {
    CHECK(dances.run(dances.train(run), [] { ::close(2); }) == 0);
  }
  CHECK(laban_with({"eval", "--run", run.string(), "--split", "train"}).code == 0);
  const std::string metrics = read_file(run / "metrics.jsonl");
  for (size_t at = 0, end = 0; at < metrics.size(); at = end + 1) {
    end = metrics.find('\n', at);
    REQUIRE(end != std::string::npos);
    CHECK(metrics.substr(at, 9) == "{\"kind\":\"");
    CHECK(metrics[end - 1] == '}');
  }
}

TEST_CASE("output that was lost is an error, whichever command wrote it") {
  const Dances dances;
  const std::string data = dances.data.string(), out = (dances.folder.path() / "out").string(),
                    run = (dances.folder.path() / "run").string();
  REQUIRE(laban_with(dances.train(run)).code == 0);
  const std::vector<std::vector<std::string>> commands{
      {"--help"},
      {"--version"},
      {"describe", "r3d_18"},
      {"describe", "r3d_18", "--json"},
      {"frames", data + "/waltz/train_00009.mp4"},
      {"check", data},
      {"index", data, "-o", out + ".csv"},
      {"preview", data, "-o", out + "_pages", "--clips", "1"},
      {"cache", data, "-o", out + "_copy"},
      {"export", "--run", run, "--output", out + ".safetensors"},
      {"eval", "--run", run, "--split", "train"},
      {"report", run},
      {"predict", "--run", run, data + "/waltz/train_00009.mp4"}};
  for (const auto& command : commands) {
    CAPTURE(command[0]);
    fs::remove(dances.log);
    CHECK(dances.run(command, [] { redirect_stdout("/dev/full"); }) == 1);
    CHECK(read_file(dances.log).find("what was printed on stdout is lost") != std::string::npos);
  }
  CHECK(fs::exists(out + ".safetensors"));  // files are whole all the same
  // An error of its own keeps its own code.
  CHECK(dances.run({"describe", "no_such_model"}, [] { redirect_stdout("/dev/full"); }) == 2);
}

TEST_CASE("a reader who has gone away is no error, and says nothing") {
  const Dances dances;
  for (const bool ignored : {false, true}) {  // who started the program may have SIGPIPE ignored
    fs::remove(dances.log);
    const int code = dances.run({"describe", "r3d_18"}, [ignored] {
      std::signal(SIGPIPE, ignored ? SIG_IGN : SIG_DFL);
      break_pipe(STDOUT_FILENO);
    });
    CHECK(code == (ignored ? 0 : -SIGPIPE));  // as `cat` has it
    CHECK(read_file(dances.log).empty());
  }
}

TEST_CASE("a run goes on where nobody reads any more what it says") {
  const Dances dances;
  const fs::path run = dances.folder.path() / "run";
  CHECK(dances.run(dances.train(run), [] {
    std::signal(SIGPIPE, SIG_DFL);
    break_pipe(STDOUT_FILENO);
    break_pipe(STDERR_FILENO);
  }) == 0);
  CHECK(laban_with({"eval", "--run", run.string(), "--split", "train"}).code == 0);
  // The files are what counts for these as well.
  const std::string features = (dances.folder.path() / "f.safetensors").string();
  CHECK(dances.run({"features", "--run", run.string(), "--output", features}, [] {
    std::signal(SIGPIPE, SIG_DFL);
    break_pipe(STDERR_FILENO);
  }) == 0);
  CHECK(fs::exists(features));
}
