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
    progress.finish({"stopped"});
    throw Error(text("stopped after ", result.made + result.kept, " of ", plan.total(), " clips"),
                "The same command continues from here.");
  }
  progress.finish({text(plan.width, "x", plan.height), text("seed ", plan.seed)});
  std::printf("%s: %d clips of %d dances (train %d, val %d, test %d)", options.folder.c_str(), plan.total(),
              synth::kDances, plan.clips[0], plan.clips[1], plan.clips[2]);
  if (result.kept > 0) std::printf("; %d of them already there", result.kept);
  std::printf("\n");
}

}  // namespace

void add_synth(Command& program) {
  auto options = std::make_shared<Options>();
  Command& command =
      program.subcommand("synth", "make a dataset of ten synthetic dances that differ in motion alone");
  command.add("FOLDER,-o,--output", options->folder, "output folder: new, or one to continue")
      .path(PathKind::folder)
      .required();
  const Argument& clips = command.add("--clips", options->clips, "number of clips, split 80/10/10");
  command.add("--split", options->split, "clips in each split instead: train=400,val=50,test=150")
      .value("SPLIT=N,...");
  command.add("--seed", options->seed, "random seed; the same seed gives the same files");
  command.add("--size", options->size, "frame size, even numbers").value("WxH");
  command.add("--workers", options->workers, "threads").range(0, 1024).shown_default("one per processor");
  command.example("laban synth clips --clips 60")
      .example("laban synth clips --split train=40,val=10,test=10");
  command.action([options, &clips] { run(*options, clips.given()); });
}

}  // namespace laban::tools
