// laban train: trains a network on a folder of labeled videos, or goes on with a run.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "cli/held_folder.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "cli/weights_notes.h"
#include "commands/commands.h"
#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "reference/check_backend.h"
#include "train/config/words.h"
#include "train/trainer.h"
#include "weights/load.h"

namespace laban::tools {
namespace {

struct Options {
  std::string config, run, resume;
  bool overwrite = false;
  int64_t check = 0;  // steps
  ConfigFlags flags;
};

constexpr const char* kActivity = "laban train";

/// Shows a run: one bar for all its steps, and a line an epoch.
class Display : public TrainingObserver {
 public:
  void on_check(const std::string& split, int64_t files_done, int64_t files_total) override {
    if (split != checked_split_) {
      checked_split_ = split;
      progress_.emplace("reading " + split + " files", files_total);
    }
    progress_->update(files_done);
    if (files_done == files_total) progress_->finish();
  }
  void on_start(int64_t steps_done, int64_t steps_total) override {
    progress_.emplace("training", steps_total - steps_done);
  }
  void on_step(const StepReport& step) override {
    // Single steps are noisy: the bar shows means over about the last twenty.
    const double weight = ++steps_ < 20 ? 1.0 / static_cast<double>(steps_) : 0.05;
    const auto blend = [&](double& mean, double value) { mean += weight * (value - mean); };
    blend(loss_, step.loss);
    blend(accuracy_, step.accuracy);
    blend(rate_, step.clips_per_second);
    blend(waiting_, step.waiting);
    progress_->set_title(text("epoch ", step.epoch));
    notes_ = {text("loss ", fixed(loss_, 3)), text("acc ", percent(accuracy_)),
              text(fixed(rate_, 1), " clips/s"), text("wait ", percent(waiting_, 0))};
    progress_->update(steps_, notes_);
  }
  void on_validation(int64_t done, int64_t total) override {
    progress_->update(steps_, {text("validating ", done, "/", total)});
  }
  void on_epoch(const EpochReport& epoch) override {
    char line[200];
    const int length = std::snprintf(
        line, sizeof(line), "epoch %lld/%lld: loss %.3f, accuracy %s", static_cast<long long>(epoch.epoch),
        static_cast<long long>(epoch.epochs), epoch.train_loss, percent(epoch.train_accuracy).c_str());
    if (epoch.val_accuracy)
      std::snprintf(line + length, sizeof(line) - static_cast<size_t>(length),
                    "; validation: loss %.3f, accuracy %s, macro-F1 %.3f%s", *epoch.val_loss,
                    percent(*epoch.val_accuracy).c_str(), *epoch.val_macro_f1, epoch.best ? " (best)" : "");
    progress_->line(text(line, " [", duration_text(epoch.seconds), "]"));
  }
  void on_note(const std::string& sentence) override { progress_->line("note: " + sentence); }
  void finish() { progress_->finish(notes_); }

 private:
  std::optional<Progress> progress_;
  std::string checked_split_;
  int64_t steps_ = 0;
  double loss_ = 0, accuracy_ = 0, rate_ = 0, waiting_ = 0;
  std::vector<std::string> notes_;
};

Dataset open(const Config& config) {
  if (config.data.path.empty())
    throw UsageError("laban train: DATA is missing: a folder of class folders with video files",
                     "Usage: laban train DATA [options]");
  Dataset dataset = open_dataset(config.data.path, dataset_settings(config));
  print_notes(dataset);
  return dataset;
}

/// Runs a trainer to its end and says what came of it.
void train(Trainer& trainer, Display& display, const Config& config, const Dataset& dataset,
           const RunFolder& folder) {
  install_interrupt_handler();
  const TrainingResult result = trainer.run();
  display.finish();
  const std::string run = shell_word(folder.path.string());
  if (result.interrupted)
    throw Error(
        text("stopped after step ", result.state.step, "; everything is saved in ", folder.path.string()),
        text("Continue with: laban train --resume ", run));
  const bool validated = result.state.best_epoch > 0;
  if (result.ended_early)
    std::printf(
        "stopped early: no improvement for %lld epochs; continue anyway with: laban train --resume %s "
        "--patience 0\n",
        static_cast<long long>(config.train.patience), run.c_str());
  std::printf("%s: %lld steps in %s", folder.path.c_str(), static_cast<long long>(result.state.step),
              duration_text(result.state.seconds).c_str());
  if (validated)
    std::printf("\nbest by validation %s: epoch %lld of %lld, loss %.3f, accuracy %s, macro-F1 %.3f",
                word_of(config.train.best_by), static_cast<long long>(result.state.best_epoch),
                static_cast<long long>(config.train.epochs), result.state.best_loss,
                percent(result.state.best_accuracy).c_str(), result.state.best_macro_f1);
  const Split next = !dataset.of(Split::test).empty() ? Split::test : validated ? Split::val : Split::train;
  std::printf("\nnext: laban eval --run %s --data %s --split %s\n", run.c_str(),
              shell_word(config.data.path).c_str(), kSplitNames[static_cast<size_t>(next)]);
}

/// The backend that computes, under observation where --check asks for it.
class Observed {
 public:
  Observed(const Config& config, int64_t steps) : backend_(make_backend(config)) {
    if (steps > 0) check_.emplace(*backend_, steps, /*tf32=*/config.machine.precision == Precision::tf32);
  }
  Backend& backend() { return check_ ? static_cast<Backend&>(*check_) : *backend_; }
  /// What was compared, a line for each kind of op.
  void report() const {
    if (!check_) return;
    std::printf(
        "every op compared with the reference in f64, from the same inputs: the largest error of each, and\n"
        "the fraction of the error that rounding explains:\n  %-24s %9s  %-12s %10s %10s\n",
        "op", "runs", "worst tensor", "error", "explained");
    for (const auto& [name, op] : check_->checked())
      std::printf("  %-24s %9lld  %-12s %10.1e %9.1f%%\n", name.c_str(), static_cast<long long>(op.runs),
                  op.tensor.c_str(), op.error, 100 * op.fraction);
  }

 private:
  std::unique_ptr<Backend> backend_;
  std::optional<CheckBackend> check_;
};

void describe(const Config& config, const Dataset& dataset, Trainer& trainer, const RunFolder& folder) {
  const PictureSize size = config.clip.transform.crop;
  std::fprintf(stderr, "%s, %lld parameters; %zu classes; %s of %d x %d x %d; %s, %s -> %s\n",
               config.model.name.c_str(), static_cast<long long>(trainer.network().store().parameter_count()),
               dataset.classes.size(), split_sizes(dataset).c_str(),
               config.clip.sampler.frames, size.height, size.width, word_of(config.machine.device),
               word_of(config.machine.precision), folder.path.c_str());
  if (config.clip.transform.flip == 0) return;
  for (const std::string& name : dataset.classes)
    if (name.find("left") != std::string::npos || name.find("right") != std::string::npos ||
        name.find("clockwise") != std::string::npos) {
      std::fprintf(stderr, "note: mirroring seems to change class '%s'; --flip 0 turns mirroring off\n",
                   name.c_str());
      return;
    }
}

/// Begins with given weights, and says what became of the last layer.
void start_from(const std::string& weights, Network& network) {
  const LoadedWeights loaded = load_weights(network, weights, HeadPolicy::keep_own);
  std::fprintf(stderr, "initialized %zu tensors from %s\n", loaded.tensors, weights.c_str());
  if (!loaded.own_head) return;
  if (loaded.file_classes)
    std::fprintf(
        stderr, "note: the last layer has %lld classes there and %lld here; it is initialized at random\n",
        static_cast<long long>(*loaded.file_classes), static_cast<long long>(network.spec().classes));
  else
    std::fprintf(stderr, "note: it has no last layer; that one is initialized at random\n");
}

void train_anew(const Options& options) {
  std::vector<std::string> notes;
  const auto apply = [&](Config config) {
    notes.clear();
    if (!options.config.empty()) apply_config_file(config, options.config, &notes);
    options.flags.apply(config);
    return config;
  };
  Config config = apply({});
  for (const std::string& note : notes) std::fprintf(stderr, "note: %s\n", note.c_str());
  if (!config.finetune.features.empty()) {  // whose clips and model are the defaults then
    const Config made = read_features(config.finetune.features).config;
    Config defaults;
    defaults.clip = made.clip;
    defaults.model = made.model;
    config = apply(defaults);
  }
  if (config.finetune.features.empty() && !config.model.weights.empty()) {  // what these note, likewise
    Config defaults;
    std::vector<std::string> given = options.flags.given();
    if (config.clip.transform.crop != defaults.clip.transform.crop)
      given.emplace_back("size");  // in a config file, perhaps
    apply_notes(defaults, StateDict::read(std::filesystem::path(config.model.weights)), given);
    config = apply(defaults);
  }
  choose_threads(config);
  choose_device(config);
  resolve(config);
  const Dataset dataset = open(config);
  choose_best_by(config, dataset);
  const std::string name = std::filesystem::weakly_canonical(config.data.path).filename().string();
  const HeldRun held = options.run.empty()
                           ? hold_unused_folder(std::filesystem::path("runs") / name, kActivity)
                           : HeldRun{{options.run}, FolderLock(options.run, kActivity)};
  print_note(held.lock);
  const RunFolder& folder = held.folder;
  folder.require_free(options.overwrite);  // before files are looked through, which may take long
  Observed observed(config, options.check);
  Display display;
  Trainer trainer(observed.backend(), config, dataset, folder, display, interrupt_flag());
  if (!config.model.weights.empty()) start_from(config.model.weights, trainer.network());
  folder.create(options.overwrite);
  write_file(folder.config(), to_toml(config));
  describe(config, dataset, trainer, folder);
  train(trainer, display, config, dataset, folder);
  observed.report();
}

void go_on(const Options& options) {
  const RunFolder folder{options.resume};
  for (const std::string& flag : options.flags.given())
    if (!roles_of(flag).any(Role::resume)) {
      throw UsageError(text("--", flag, " cannot be changed in a resumed run"),
                       text("A resumed run keeps its settings, but for --",
                            join(flags_with(Role::resume), ", --"), ". For other settings start a new run."));
    }
  if (!options.config.empty() || !options.run.empty() || options.overwrite)
    throw UsageError("--resume excludes --config, --output and --overwrite",
                     "A resumed run keeps its folder and its settings.");
  if (!std::filesystem::is_directory(folder.path))
    throw UsageError(text("there is no run folder \"", options.resume, "\""),
                     "Give the folder that `laban train` wrote.");
  const FolderLock lock = hold_folder(folder.path, kActivity);
  if (folder.has_not_begun())
    throw UsageError(
        text("the run in ", options.resume, " ended before its first checkpoint: it had not begun to train"),
        "The same `laban train` command starts it again.");
  if (!std::filesystem::exists(folder.last()))
    throw UsageError(text("there is no run to resume in ", options.resume, ": it has no last.safetensors"),
                     "Give the folder that `laban train` wrote.");
  const Checkpoint checkpoint(folder.last());
  Config config = checkpoint.info().config;
  options.flags.apply(config);
  if (!options.flags.has("data")) keep_index_apart(config);
  choose_threads(config);
  choose_device(config);
  resolve(config);
  if (checkpoint.info().state.epoch >= config.train.epochs) {
    std::printf("%s has finished all its %lld epochs; a larger --epochs continues it\n", folder.path.c_str(),
                static_cast<long long>(config.train.epochs));
    return;
  }
  const Dataset dataset = open(config);
  choose_best_by(config, dataset);
  Observed observed(config, options.check);
  Display display;
  Trainer trainer(observed.backend(), config, dataset, folder, display, interrupt_flag());
  trainer.resume(checkpoint);
  write_file(folder.config(), to_toml(config));
  std::fprintf(stderr, "resuming %s after step %lld\n", folder.path.c_str(),
               static_cast<long long>(trainer.state().step));
  train(trainer, display, config, dataset, folder);
  observed.report();
}

}  // namespace

void add_train(Command& program) {
  auto options = std::make_shared<Options>();
  Command& command = program.subcommand("train", "train a network on a folder of labeled videos");
  command.add("-o,--output,--run", options->run, "run folder")
      .path(PathKind::folder)
      .shown_default("runs/DATA");
  command.add("--config", options->config, "TOML file of settings; flags override it").path(PathKind::file);
  command.add("--resume", options->resume, "continue the run in this folder").path(PathKind::folder);
  command.add("--overwrite", options->overwrite, "replace an existing run");
  command
      .add("--check", options->check,
           "compare every op of the first N steps with the reference; stop at the first that disagrees; slow")
      .range(int64_t{0}, int64_t{1} << 40)
      .shown_default("");
  options->flags.add_to(command);
  command.example("laban train clips --epochs 30")
      .example("laban train clips --weights r3d_18.pt --model r3d_18 --preset torchvision")
      .example("laban train --resume runs/clips --epochs 60");
  command.action([options] {
    outlive_readers();
    options->resume.empty() ? train_anew(*options) : go_on(*options);
  });
}

}  // namespace laban::tools
