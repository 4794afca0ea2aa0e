// The folder of synthetic dances: names, tables, and workers that fill it.
#include <cstdio>
#include <mutex>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/folder_lock.h"
#include "core/nesting.h"
#include "core/thread_group.h"
#include "data/synth/clip.h"
#include "data/synth/dataset.h"

namespace laban::synth {
namespace {

namespace fs = std::filesystem;
constexpr int kVersion = 1;  // of the dances: raised with every change that alters the files of a seed
constexpr int kSmallest = 32, kLargest = 1920;

struct Task {
  Split split;
  int number;
};

fs::path relative_path(const Task& task) {
  char name[32];
  std::snprintf(name, sizeof name, "%s_%05d.mp4", kSplitNames[static_cast<size_t>(task.split)], task.number);
  return fs::path(kDanceNames[static_cast<size_t>(task.number % kDances)]) / name;
}

std::vector<Task> tasks_of(const DatasetPlan& plan) {
  std::vector<Task> tasks;
  for (size_t split = 0; split < plan.clips.size(); ++split)
    for (int number = 0; number < plan.clips[split]; ++number)
      tasks.push_back({static_cast<Split>(split), number});
  return tasks;
}

void check_plan(const DatasetPlan& plan) {
  for (const int size : {plan.width, plan.height})
    if (size < kSmallest || size > kLargest || size % 2 != 0)
      throw UsageError(text("frames cannot be ", plan.width, "x", plan.height),
                       text("Width and height must be even numbers from ", kSmallest, " to ", kLargest, "."));
  for (const int clips : plan.clips)
    if (clips < 0 || clips > 99999)
      throw UsageError(text("a split cannot have ", clips, " clips"), "Give each split 0 to 99999 clips.");
  if (plan.total() < 1) throw UsageError("no clips requested", "Give at least one split a number of clips.");
}

nlohmann::json description(const DatasetPlan& plan) {
  nlohmann::json splits;
  for (size_t split = 0; split < plan.clips.size(); ++split) splits[kSplitNames[split]] = plan.clips[split];
  return {{"made_by", "laban synth"}, {"version", kVersion},   {"seed", plan.seed},
          {"width", plan.width},      {"height", plan.height}, {"clips", splits}};
}

/// Makes the folders, and the tables that say what belongs in them.
void prepare_folder(const DatasetPlan& plan, const std::vector<Task>& tasks) {
  const fs::path manifest = plan.folder / "dataset.json";
  const nlohmann::json wanted = description(plan);
  std::error_code failed;
  if (fs::exists(manifest, failed)) {
    const std::string manifest_text = read_file(manifest);
    const nlohmann::json found = nests_deeper_than(manifest_text, kDeepestJson)
                                     ? nlohmann::json(nlohmann::json::value_t::discarded)
                                     : nlohmann::json::parse(manifest_text, nullptr, false);
    if (found != wanted)
      throw UsageError(text(plan.folder.string(), " already contains another dataset: ",
                            found.is_discarded() ? "its dataset.json cannot be read" : found.dump(),
                            "; requested is ", wanted.dump()),
                       "Choose another folder, delete this one, or request the same seed, size and splits.");
  } else if (fs::exists(plan.folder, failed) && !holds_nothing(plan.folder)) {
    throw UsageError(text(plan.folder.string(), " is not empty, and is not a dataset made by laban"),
                     "Choose a new folder for the dances.");
  }
  for (const std::string_view dance : kDanceNames) {
    const fs::path folder = plan.folder / dance;
    fs::create_directories(folder, failed);
    if (failed) throw FileError(folder.string(), text("cannot create the folder: ", failed.message()));
    remove_abandoned_files(folder);
  }
  std::string table = "path,label,split,group\n";
  for (const Task& task : tasks) {
    const fs::path path = relative_path(task);
    // Every clip has dancers and a stage of its own, hence a group of its own.
    table += text(path.string(), ",", path.parent_path().string(), ",",
                  kSplitNames[static_cast<size_t>(task.split)], ",", path.parent_path().string(), "_",
                  path.stem().string(), "\n");
  }
  write_file(manifest, wanted.dump(2) + "\n");
  write_file(plan.folder / "split.csv", table);
}

}  // namespace

DatasetResult write_dataset(const DatasetPlan& plan, const std::function<void(int done)>& progress,
                            const std::atomic<bool>& stop) {
  check_plan(plan);
  const std::vector<Task> tasks = tasks_of(plan);
  prepare_folder(plan, tasks);

  std::atomic<size_t> next{0};
  std::atomic<bool> halt{false};  // stop, or a worker's failure
  std::mutex mutex;               // guards result and progress
  DatasetResult result;
  const auto work = [&] {
    for (size_t i = next++; i < tasks.size() && !halt && !stop; i = next++) {
      const fs::path path = plan.folder / relative_path(tasks[i]);
      const bool kept = fs::exists(path);
      if (!kept) {
        const Clip clip = draw_clip(plan.seed, tasks[i].split, tasks[i].number, plan.width, plan.height);
        const std::string video = encode_clip(clip, stop);
        if (video.empty()) return;
        write_file(path, video);
      }
      const std::lock_guard lock(mutex);
      ++(kept ? result.kept : result.made);
      if (progress) progress(result.made + result.kept);
    }
  };
  run_on_threads(plan.workers, work, [&] { halt = true; });
  result.stopped = result.made + result.kept < plan.total();
  return result;
}

}  // namespace laban::synth
