// laban train without flags: what it chooses, writes and repeats; laban floor; what eval and the report say of both.
#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/files.h"
#include "data/made_clips.h"
#include "support/program.h"
#include "train/train_fixture.h"

using namespace laban;
using namespace laban::test;
namespace fs = std::filesystem;

namespace {

/// Thirty dances, and small runs on them.
struct Dances {
  TemporaryFolder folder;
  fs::path data = folder.path() / "dances";
  RunFolder run{folder.path() / "run"};
  Dances() { REQUIRE(laban_with({"synth", data.string(), "--clips", "30", "--size", "32x32"}).code == 0); }

  ProgramResult train(const std::string& flags, const RunFolder& into) const {
    std::vector<std::string> command{"train", data.string(), "--run", into.path.string()};
    for (const std::string& word : words("--threads 1 --workers 1 " + flags)) command.push_back(word);
    return laban_with(command);
  }
};

constexpr const char* kQuick = "--size 16 --frames 4 --epochs 1 --minutes 0.05 ";

}  // namespace

TEST_CASE(
    "train chooses what is left open, keeps what is given, and repeats from its config.toml bit for bit") {
  const Dances dances;
  const ProgramResult first = dances.train(std::string(kQuick) + "--cache on", dances.run);
  REQUIRE_MESSAGE(first.code == 0, first.said);
  CHECK(first.says("recipe for 24 training clips of 10 classes"));
  CHECK(first.says("floor on val"));
  const std::string config = read_file(dances.run.config());
  CHECK(config.find("# recipe for 24 training clips") != std::string::npos);
  for (const char* line : {"size = 16 ", "frames = 4 ", "epochs = 1 ", "scale = \"frame\"", "cache = \"on\""})
    CHECK_MESSAGE(config.find(line) != std::string::npos, line);
  CHECK(fs::exists(dances.run.recipe()));
  CHECK(fs::exists(dances.run.cache() / "laban-index.csv"));

  // Everything is said there: nothing is measured again.
  const RunFolder again{dances.folder.path() / "again"};
  const ProgramResult second =
      laban_with({"train", "--config", dances.run.config().string(), "--run", again.path.string()});
  REQUIRE_MESSAGE(second.code == 0, second.said);
  CHECK(!second.says("choosing a recipe"));
  CHECK(timeless_rows(again.metrics()) == timeless_rows(dances.run.metrics()));
  CHECK(tensors_of(again.last()) == tensors_of(dances.run.last()));

  // A resumed run measures nothing either, and keeps what the recipe said; its cache is made anew if it is gone.
  fs::remove_all(dances.run.cache());
  const ProgramResult resumed = laban_with({"train", "--resume", dances.run.path.string(), "--epochs", "2"});
  REQUIRE_MESSAGE(resumed.code == 0, resumed.said);
  CHECK(!resumed.says("choosing a recipe"));
  CHECK(!resumed.says("measuring the floor"));
  CHECK(read_file(dances.run.config()).find("# recipe for") != std::string::npos);

  const ProgramResult eval = laban_with({"eval", "--run", dances.run.path.string()});
  REQUIRE_MESSAGE(eval.code == 0, eval.said);
  for (const char* part :
       {"macro-F1", "balanced accuracy", "precision (95 % interval)", "floor on test", "network: epoch"})
    CHECK_MESSAGE(eval.says(part), part);
  const auto json = nlohmann::json::parse(read_file(dances.run.evaluation("test", false)));
  CHECK(json.at("macro_f1").is_number());
  CHECK(json.at("per_class").at(0).contains("precision_ci95"));
  REQUIRE(laban_with({"report", dances.run.path.string(), "--clips", "0"}).code == 0);
  const std::string page = read_file(dances.run.path / "report.html");
  for (const char* part :
       {"The network and the floor", "Recall and precision", "Best epoch, the last: 2 of 2", "The recipe"})
    CHECK_MESSAGE(page.find(part) != std::string::npos, part);
}

TEST_CASE(
    "--plan writes nothing and says what a run would be; too little time is said, not exceeded silently") {
  const Dances dances;
  const ProgramResult plan = dances.train("--plan --minutes 0.1", dances.run);
  REQUIRE_MESSAGE(plan.code == 0, plan.said);
  for (const char* part : {"recipe for 24", "time ", "memory ", "disk ", "the floor, which needs no network"})
    CHECK_MESSAGE(plan.says(part), part);
  CHECK(!fs::exists(dances.run.path));
  const ProgramResult hurried = dances.train("--minutes 0.01 --size 16", dances.run);
  REQUIRE_MESSAGE(hurried.code == 0, hurried.said);
  CHECK(hurried.says("the run will take longer than"));
  CHECK(hurried.says("epoch 1/1"));
  const ProgramResult usage = dances.train("--minutes 0", dances.run);
  CHECK(usage.code == 2);
  CHECK(laban_with({"train", "--resume", dances.run.path.string(), "--plan"}).code == 2);
}

TEST_CASE("--recipe none takes the defaults") {
  const Dances dances;
  const ProgramResult result =
      dances.train("--recipe none --no-floor --size 16 --frames 4 --epochs 1", dances.run);
  REQUIRE_MESSAGE(result.code == 0, result.said);
  CHECK(!fs::exists(dances.run.recipe()));
  CHECK(!fs::exists(dances.run.floor()));
  CHECK(!fs::exists(dances.run.cache()));
  CHECK(read_file(dances.run.config()).find("kind = \"adamw\"") != std::string::npos);
}

TEST_CASE("rectangular clips from training to prediction") {
  const Dances dances;
  const ProgramResult trained =
      dances.train("--recipe none --no-floor --scale frame --size 16x24 --frames 4 --epochs 1", dances.run);
  REQUIRE_MESSAGE(trained.code == 0, trained.said);
  CHECK(trained.says("4 x 16 x 24"));
  const std::string run = dances.run.path.string();
  const std::string weights = (dances.folder.path() / "net.safetensors").string();
  CHECK(laban_with({"eval", "--run", run}).code == 0);
  CHECK(laban_with({"eval", "--run", run, "--crops", "3"}).says("there are no 3 crops"));
  CHECK(laban_with({"predict", "--run", run, dances.data.string()}).code == 0);
  CHECK(laban_with({"preview", dances.data.string(), "-o", (dances.folder.path() / "page").string(), "--size",
                    "16x24", "--frames", "4", "--clips", "1"})
            .code == 0);
  REQUIRE(laban_with({"export", "--run", run, "-o", weights}).code == 0);
  const ProgramResult noted = laban_with({"predict", "--weights", weights, dances.data.string()});
  CHECK_MESSAGE(noted.code == 0, noted.said);
  CHECK(noted.says("size 16x24"));
  CHECK(laban_with({"features", "--run", run, "-o", (dances.folder.path() / "f.features").string()}).code ==
        0);
}

TEST_CASE("a bad test clip keeps nobody from training; the floor leaves it out and says so") {
  const Dances dances;
  fs::path test_clip;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(dances.data))
    if (entry.path().extension() == ".mp4" && entry.path().filename().string().starts_with("test"))
      test_clip = entry.path();
  REQUIRE(!test_clip.empty());
  write_file(test_clip, "no video at all");
  const ProgramResult result = dances.train(kQuick, dances.run);
  CHECK_MESSAGE(result.code == 0, result.said);
  CHECK(result.says("could not be read and were left out"));
  // The same with a cache: the clip is left out there, and counted as it would be without one.
  const RunFolder other{dances.folder.path() / "other"};
  const ProgramResult cached = dances.train(std::string(kQuick) + "--cache on --on-bad-file exclude", other);
  CHECK_MESSAGE(cached.code == 0, cached.said);
  CHECK(cached.says("left out"));
  CHECK(dances.train(std::string(kQuick) + "--cache on", {dances.folder.path() / "third"}).code == 1);
  const ProgramResult evaluated = laban_with({"eval", "--run", other.path.string()});
  CHECK_MESSAGE(evaluated.code == 0, evaluated.said);
  CHECK(evaluated.says("floor on test"));
  const ProgramResult floor = laban_with({"floor", dances.data.string(), "--json"});
  REQUIRE_MESSAGE(floor.code == 0, floor.said);
  CHECK(nlohmann::json::parse(floor.out).at("methods").size() == 3);
}

TEST_CASE("two clips a class, uneven classes, clips of three frames") {
  const TemporaryFolder folder;
  const fs::path data = folder.path() / "data";
  for (int i = 0; i < 22; ++i)
    make_video(data / (i < 20 ? "many" : "few") / (std::to_string(i) + ".mp4"),
               {.width = 48, .height = 32, .frames = i % 2 ? 3 : 12, .first = i});
  for (const char* clips : {"many", "few"}) {
    // First 20 to 2; then two and two.
    if (std::string(clips) == "few")
      for (int i = 2; i < 20; ++i) fs::remove(data / "many" / (std::to_string(i) + ".mp4"));
    const ProgramResult result = laban_with(
        {"train", data.string(), "--run", (folder.path() / clips).string(), "--minutes", "0.05", "--threads",
         "1", "--workers", "1", "--train-fraction", "1", "--val-fraction", "0", "--epochs", "2"});
    CHECK_MESSAGE(result.code == 0, result.said);
    CHECK(!result.says("nan"));
    CHECK(result.says("only 2 training clips"));
  }
}

TEST_CASE(
    "--loss-weights reaches the loss, and a class that does not exist is refused before anything is looked at") {
  const Dances dances;
  const RunFolder plain{dances.folder.path() / "plain"}, weighted{dances.folder.path() / "weighted"};
  REQUIRE(dances.train("--recipe none --size 16 --frames 4 --epochs 1", plain).code == 0);
  const ProgramResult result =
      dances.train("--recipe none --size 16 --frames 4 --epochs 1 --loss-weights waltz=5,tango=0", weighted);
  REQUIRE_MESSAGE(result.code == 0, result.said);
  CHECK(result.says("weights of the classes in the training loss:"));
  CHECK(result.says("waltz 5"));
  CHECK(tensors_of(plain.last()) != tensors_of(weighted.last()));

  const RunFolder refused{dances.folder.path() / "refused"};
  const ProgramResult wrong = dances.train("--loss-weights polka=2", refused);
  CHECK(wrong.code != 0);
  CHECK(wrong.says("'polka=2' is no class; there are ballet"));
  CHECK(!wrong.says("choosing a recipe"));
  CHECK(!fs::exists(refused.path));
}
