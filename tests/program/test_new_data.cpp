// laban eval and predict on data that the network was not trained on; clips that an epoch leaves out.
#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
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

void make_clips(const fs::path& root, const std::string& name, int count, int first) {
  for (int i = 0; i < count; ++i)
    test::make_video(root / name / ("clip" + std::to_string(i) + ".mp4"),
                     {.width = 40, .height = 32, .frames = 8, .first = first + i});
}

Result train(const fs::path& data, const fs::path& run, const std::string& batch) {
  return laban_with({"train", data.string(), "-o", run.string(), "--recipe", "none", "--no-floor", "--epochs",
                     "1", "--frames", "2", "--size", "16", "--batch", batch, "--threads", "1", "--workers",
                     "1"});
}

}  // namespace

TEST_CASE("eval measures all of another dataset that defines no splits, and says what it measured") {
  const test::Folder folder("new_data");
  const fs::path data = folder.path() / "data", fresh = folder.path() / "fresh", run = folder.path() / "run";
  for (const char* name : {"a", "b"}) make_clips(data, name, 12, name[0]);
  make_clips(fresh, "a", 11, 40);
  make_clips(fresh, "b", 4, 70);
  const Result trained = train(data, run, "4");
  REQUIRE_MESSAGE(trained.code == 0, trained.said);
  const std::string network = run.string();

  const Result own = laban_with({"eval", "--run", network});
  CHECK(own.says("measured: the split test of " + data.string()));
  const std::string kept = read_file(run / "evaluation_test.json");
  const int64_t own_clips = json::parse(kept)["clips"];
  CHECK(own_clips < 8);
  for (const fs::path& same : {data, data / "../data"})
    CHECK(
        laban_with({"eval", "--run", network, "--data", same.string()}).says("measured: the split test of"));
  // Moved, it is still the run's dataset, by its clips.
  const fs::path moved = folder.path() / "moved";
  fs::copy(data, moved, fs::copy_options::recursive);
  const Result elsewhere = laban_with({"eval", "--run", network, "--data", moved.string(), "--json"});
  CHECK(json::parse(elsewhere.out)["clips"] == own_clips);

  const auto clips_of = [&](const std::vector<std::string>& more) {
    std::vector<std::string> command{"eval", "--run", network, "--json"};
    command.insert(command.end(), more.begin(), more.end());
    const Result result = laban_with(command);
    CHECK_MESSAGE(result.code == 0, result.said);
    return json::parse(result.out);
  };
  CHECK(clips_of({"--data", fresh.string()})["clips"] == 15);
  CHECK(clips_of({"--data", fresh.string()})["split"] == "all");
  CHECK(clips_of({"--data", fresh.string(), "--split", "all"})["clips"] == 15);
  CHECK(clips_of({"--data", data.string(), "--split", "all"})["clips"] == 24);
  const Result said = laban_with({"eval", "--run", network, "--data", fresh.string()});
  CHECK(said.says("measured: all 15 clips of " + fresh.string() + ", which defines no splits"));
  CHECK(said.says("not written to the run, whose dataset is another"));
  const Result asked = laban_with({"eval", "--run", network, "--data", fresh.string(), "--split", "test"});
  CHECK(asked.says(
      "defines no splits: the clips of test were chosen at random; without --split all clips are measured"));
  // A single class, and a list.
  make_clips(folder.path() / "one", "b", 3, 90);
  CHECK(clips_of({"--data", (folder.path() / "one").string()})["clips"] == 3);
  std::ofstream(fresh / "list.csv") << "path,label\na/clip0.mp4,a\nb/clip1.mp4,b\n";
  CHECK(clips_of({"--data", (fresh / "list.csv").string()})["clips"] == 2);
  fs::remove(fresh / "list.csv");
  // Its own splits count.
  for (const char* name : {"a", "b"}) fs::create_directories(folder.path() / "split/Test" / name);
  fs::copy(fresh / "a/clip0.mp4", folder.path() / "split/Test/a/0.mp4");
  fs::copy(fresh / "b/clip0.mp4", folder.path() / "split/Test/b/0.mp4");
  CHECK(clips_of({"--data", (folder.path() / "split").string()})["split"] == "test");
  // Nothing of this replaced the run's own result.
  CHECK(read_file(run / "evaluation_test.json") == kept);
  // Clips that were added change the split, and may have been trained on.
  make_clips(data, "a", 14, 65);
  CHECK(laban_with({"eval", "--run", network}).says("is not as it was when this network was trained"));
}

TEST_CASE("predict takes a list of clips without labels") {
  const test::Folder folder("predict_list");
  const fs::path data = folder.path() / "data", run = folder.path() / "run";
  for (const char* name : {"a", "b"}) make_clips(data, name, 8, name[0]);
  REQUIRE(train(data, run, "4").code == 0);
  std::ofstream(data / "list.txt") << "a/clip0.mp4\nb/clip1.mp4\n";
  const Result both = laban_with({"predict", (data / "list.txt").string(), "--run", run.string()});
  CHECK_MESSAGE(both.code == 0, both.said);
  CHECK(both.says("a/clip0.mp4:"));
  CHECK(both.says("b/clip1.mp4:"));
  std::ofstream(data / "list.txt") << "a/clip0.mp4\nb/gone.mp4\n";
  const Result missing = laban_with({"predict", (data / "list.txt").string(), "--run", run.string()});
  CHECK(missing.code == 1);
  CHECK(missing.says("b/gone.mp4: there is no such file"));
}

TEST_CASE("clips that an epoch leaves out are told") {
  const test::Folder folder("left_out");
  for (const char* name : {"a", "b"})
    make_clips(folder.path() / "train", name, name[0] == 'a' ? 8 : 7, name[0]);
  const Result some = train(folder.path() / "train", folder.path() / "some", "8");
  CHECK_MESSAGE(some.says("are left out of it, others in every epoch"), some.said);
  std::ofstream table(folder.path() / "split.csv");
  table << "path,label,split\n";
  for (int i = 0; i < 8; ++i) table << "train/a/clip" << i << ".mp4,a,train\n";
  for (int i = 0; i < 7; ++i) table << "train/b/clip" << i << ".mp4,b,train\n";
  table.close();
  const Result all = train(folder.path(), folder.path() / "run", "8");
  CHECK(all.says("an epoch is 1 batch of 8 clips: 7 of the 15 training clips are left out of it"));
  CHECK_FALSE(train(folder.path(), folder.path() / "none", "5").says("left out"));
}
