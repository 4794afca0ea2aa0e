// laban synth: makes a folder of synthetic dances.
#include <cstdio>
#include <map>
#include <memory>
#include <string>

#include "cli/held_folder.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "commands/commands.h"
#include "core/error.h"
#include "core/processors.h"
#include "data/synth/clip.h"
#include "data/synth/dataset.h"

namespace laban::tools {
namespace {

struct Options {
  std::string folder;
  uint64_t seed = 1;
  int clips = 600;
  std::string size = "160x120", split;
  int workers = 0;
};

/// All of `word` as a number that is not negative; -1 where it is none.
int to_count(const std::string& word) {
  const bool digits =
      !word.empty() && word.size() <= 6 && word.find_first_not_of("0123456789") == std::string::npos;
  return digits ? std::stoi(word) : -1;
}

void parse_size(const std::string& size, synth::DatasetPlan& plan) {
  const size_t cross = size.find('x');
  plan.width = to_count(size.substr(0, cross));
  plan.height = cross == std::string::npos ? -1 : to_count(size.substr(cross + 1));
  if (plan.width < 0 || plan.height < 0)
    throw UsageError(text("--size ", size, " is not a size"),
                     "Write width x height, for instance --size 160x120.");
}

/// "train=400,val=50,test=150"; splits that are not named get no clips.
void parse_split(const std::string& split, synth::DatasetPlan& plan) {
  plan.clips = {0, 0, 0};
  for (size_t from = 0; from <= split.size();) {
    const size_t comma = std::min(split.find(',', from), split.size());
    const std::string entry = split.substr(from, comma - from);
    const size_t equals = std::min(entry.find('='), entry.size());
    const std::string name = entry.substr(0, equals);
    const int count = equals < entry.size() ? to_count(entry.substr(equals + 1)) : -1;
    size_t which = 0;
    while (which < kSplitNames.size() && name != kSplitNames[which]) ++which;
    if (which == kSplitNames.size() || count < 0)
      throw UsageError(text("--split: \"", entry, "\" is not SPLIT=NUMBER"),
                       "Write for instance --split train=400,val=50,test=150.");
    plan.clips[which] = count;
    from = comma + 1;
  }
}

void run(const Options& options, bool clips_given) {
  synth::DatasetPlan plan;
  plan.folder = options.folder;
  plan.seed = options.seed;
  plan.workers = options.workers > 0 ? options.workers : available_processors();
  parse_size(options.size, plan);
  if (options.split.empty()) {
    plan.clips[1] = options.clips / 10;
    plan.clips[2] = options.clips / 10;
    plan.clips[0] = options.clips - plan.clips[1] - plan.clips[2];
  } else {
    parse_split(options.split, plan);
    if (clips_given && options.clips != plan.total())
      throw UsageError(text("--clips ", options.clips, " contradicts --split ", options.split,
                            ", which asks for ", plan.total()),
                       "Give one of the two.");
  }

  outlive_readers();
  install_interrupt_handler();
  const FolderLock lock = hold_folder(options.folder, "laban synth");
  Progress progress("dances", plan.total());
  const synth::DatasetResult result = synth::write_dataset(
      plan, [&](int done) { progress.update(done); }, interrupt_flag());
  if (result.stopped) {
    progress.finish("stopped");
    throw Error(text("stopped after ", result.made + result.kept, " of ", plan.total(), " clips"),
                "The same command goes on from here.");
  }
  progress.finish(text(plan.width, "x", plan.height, ", seed ", plan.seed));
  std::printf("%s: %d clips of %d dances (train %d, val %d, test %d)", options.folder.c_str(), plan.total(),
              synth::kDances, plan.clips[0], plan.clips[1], plan.clips[2]);
  if (result.kept > 0) std::printf("; %d of them were there", result.kept);
  std::printf("\n");
}

}  // namespace

void add_synth(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("synth", "make a data set of ten synthetic dances, told apart by motion alone");
  command->add_option("folder", options->folder, "where to put it: a new folder, or one to go on with")
      ->required();
  CLI::Option* clips = command->add_option("--clips", options->clips, "number of clips, split 80/10/10");
  clips->capture_default_str();
  command->add_option("--split", options->split, "clips in each split instead: train=400,val=50,test=150");
  command->add_option("--seed", options->seed, "the same seed gives the same files")->capture_default_str();
  command->add_option("--size", options->size, "WIDTHxHEIGHT of the frames, even numbers")
      ->capture_default_str();
  command->add_option("--workers", options->workers, "threads (default: one for each core)");
  command->callback([options, clips] { run(*options, clips->count() > 0); });
}

}  // namespace laban::tools
