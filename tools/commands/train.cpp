// laban train: trains a network on a folder of labeled videos, or goes on with a run.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "cli/floor_text.h"
#include "cli/held_folder.h"
#include "cli/interrupt.h"
#include "cli/make_recipe.h"
#include "cli/open_data.h"
#include "cli/options.h"
#include "cli/printable.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "cli/weights_notes.h"
#include "commands/commands.h"
#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/video/watch.h"
#include "reference/check_backend.h"
#include "train/config/words.h"
#include "train/trainer.h"
#include "weights/load.h"

namespace laban::tools {
namespace {

struct Options {
  std::string config, run, resume;
  bool overwrite = false, plan = false;
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
    tell_if_absurd();
  }
  void on_val(int64_t done, int64_t total) override {
    progress_->update(steps_, {text("validating ", done, "/", total)});
  }
  void on_epoch(const EpochReport& epoch) override {
    char line[240];
    const int length = std::snprintf(
        line, sizeof(line), "epoch %lld/%lld: loss %.3f, accuracy %s", static_cast<long long>(epoch.epoch),
        static_cast<long long>(epoch.epochs), epoch.train_loss, percent(epoch.train_accuracy).c_str());
    if (epoch.val_accuracy)
      std::snprintf(line + length, sizeof(line) - static_cast<size_t>(length),
                    "; validation: loss %.3f, accuracy %s, macro-F1 %.3f%s", *epoch.val_loss,
                    percent(*epoch.val_accuracy).c_str(), *epoch.val_macro_f1, epoch.best ? " (best)" : "");
    progress_->line(text(line, epoch.val_accuracy ? floor_ : "", " [", duration_text(epoch.seconds), "]"));
  }
  void on_note(const std::string& sentence) override { progress_->line("note: " + sentence); }
  void finish() { progress_->finish(notes_); }
  /// What is being trained, to judge the time by.
  void set_work(int64_t train_clips, const Config& config) {
    train_clips_ = train_clips;
    by_recipe_ = config.recipe.kind != RecipeKind::none;
  }
  /// What a network must exceed on the validation clips, for every epoch's line.
  void show_floor(const Floor& floor) {
    const auto best = floor.best("val", BestBy::macro_f1);
    if (best) floor_ = text(", floor ", fixed(best->score->macro_f1, 3));
  }

 private:
  /// Once: hours for a handful of clips are rarely meant.
  void tell_if_absurd() {
    constexpr double kHour = 3600, kSecondsAClip = 60;
    const std::optional<double> left = progress_->seconds_left();
    if (!left || told_ || train_clips_ == 0) return;
    if (*left < kHour || *left < kSecondsAClip * static_cast<double>(train_clips_)) return;
    told_ = true;
    on_note(text("at this speed the run takes ", duration_text(*left), " more for ", train_clips_,
                 train_clips_ == 1 ? " training clip" : " training clips",
                 ". Fewer --epochs, a smaller --model, --size or --frames would fit; ",
                 by_recipe_ ? "what is not given, laban chooses for --minutes"
                            : "without --recipe none, laban chooses what fits into --minutes"));
  }

  std::optional<Progress> progress_;
  int64_t train_clips_ = 0;
  bool by_recipe_ = true, told_ = false;
  std::string checked_split_, floor_;
  int64_t steps_ = 0;
  double loss_ = 0, accuracy_ = 0, rate_ = 0, waiting_ = 0;
  std::vector<std::string> notes_;
};

Dataset open(const Config& config) {
  if (config.data.path.empty())
    throw UsageError("laban train: DATA is missing: a folder of class folders with video files",
                     "Usage: laban train DATA [options]");
  Dataset dataset = open_data(config, config.data.path);
  print_notes(dataset);
  return dataset;
}

/// Measures what needs no network, says it, and keeps it in the run's folder; what the folder has is not measured again.
/// A floor that cannot be measured is only a note.
void measure_run_floor(const Config& config, const Dataset& dataset, const RunFolder& folder,
                       Display& display) {
  std::optional<Floor> floor = floor_of(folder.path);
  if (!floor && config.recipe.floor && config.finetune.features.empty() &&
      !(dataset.of(Split::val).empty() && dataset.of(Split::test).empty())) {
    try {
      floor = measure_floor_with_progress(dataset, config);
    } catch (const Error& error) {
      std::fprintf(stderr, "note: there is no floor to compare with: %s\n", error.on_one_line().c_str());
      return;
    }
    if (!floor) throw Canceled{};
    write_file(folder.floor(), to_json(*floor));
  }
  if (!floor) return;
  for (const char* split : {"val", "test"})
    if (const std::string line = floor_line(*floor, split, BestBy::macro_f1); !line.empty())
      std::fprintf(stderr, "%s\n", line.c_str());
  display.show_floor(*floor);
}

/// Runs a trainer to its end and says what came of it.
void train(Trainer& trainer, Display& display, const Config& config, const Dataset& dataset,
           const RunFolder& folder) {
  install_interrupt_handler();
  measure_run_floor(config, dataset, folder, display);
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
    std::printf("\nbest epoch%s: %lld of %lld, loss %.3f, accuracy %s, macro-F1 %.3f",
                by_what(config.train.best_by).c_str(), static_cast<long long>(result.state.best_epoch),
                static_cast<long long>(config.train.epochs), result.state.best_loss,
                percent(result.state.best_accuracy).c_str(), result.state.best_macro_f1);
  if (const auto floor = floor_of(folder.path); floor && validated) {
    std::vector<int64_t> clips(dataset.classes.size(), 0);
    for (const int item : dataset.of(Split::val))
      ++clips[static_cast<size_t>(dataset.items[static_cast<size_t>(item)].label)];
    const BestBy by = floor_criterion(clips);
    const std::string below = below_floor(
        *floor, "val", by, by == BestBy::macro_f1 ? result.state.best_macro_f1 : result.state.best_accuracy);
    if (!below.empty()) std::printf("\n%s", below.c_str());
  }
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
  /// Without observation.
  Backend& device() { return *backend_; }
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
               dataset.classes.size(), split_sizes(dataset).c_str(), config.clip.sampler.frames, size.height,
               size.width, word_of(config.machine.device), word_of(config.machine.precision),
               folder.path.c_str());
  if (config.clip.transform.flip == 0) return;
  for (const std::string& name : dataset.classes)
    if (name.find("left") != std::string::npos || name.find("right") != std::string::npos ||
        name.find("clockwise") != std::string::npos) {
      std::fprintf(stderr, "note: mirroring seems to change class '%s'; --flip 0 turns mirroring off\n",
                   visible(name).c_str());
      return;
    }
}

/// Begins with given weights, and says what became of the last layer.
void start_from(const StateDict& weights, Network& network) {
  const LoadedWeights loaded = load_weights(network, weights, HeadPolicy::keep_own);
  std::fprintf(stderr, "initialized %zu tensors from %s\n", loaded.tensors, weights.path().c_str());
  if (!loaded.own_head) return;
  if (loaded.file_classes)
    std::fprintf(
        stderr, "note: the last layer has %lld classes there and %lld here; it is initialized at random\n",
        static_cast<long long>(*loaded.file_classes), static_cast<long long>(network.spec().classes));
  else
    std::fprintf(stderr, "note: it has no last layer; that one is initialized at random\n");
}

void require_training_clips(const Dataset& dataset) {
  if (dataset.of(Split::train).empty())
    throw UsageError(text(dataset.root.string(), " has no training clips"),
                     "Add some to its split.csv (or its folder `train`).");
}

/// The run's shrunken copy of the clips, where its settings say that there is one and the recipe has not opened it yet.
void prepare_cache(Config& config, const Dataset& dataset, const RunFolder& folder,
                   std::optional<Dataset>& clips) {
  if (config.recipe.cache == CacheUse::automatic) config.recipe.cache = CacheUse::off;
  if (config.recipe.cache == CacheUse::off || clips || !config.finetune.features.empty()) return;
  if (config.recipe.cache_side == 0) {
    const TransformSettings& view = config.clip.transform;
    const int longer = std::max(view.crop.height, view.crop.width);
    config.recipe.cache_side = view.rule == ScaleRule::frame ? static_cast<int>(longer * view.zoom) + 1
                               : view.rule == ScaleRule::stretch
                                   ? std::max(view.stretch_width, view.stretch_height)
                                   : std::max(longer, short_sides(view).max);
  }
  clips = open_run_cache(config, dataset, folder);
}

/// What a run would be, without any of it.
void plan(Config config, const Dataset& dataset, const RecipeRequest& request, bool choose) {
  require_training_clips(dataset);
  class_weights(config, dataset);  // before anything that takes time
  install_interrupt_handler();
  const std::unique_ptr<Backend> backend = make_backend(config);
  std::optional<Recipe> recipe;
  std::optional<Dataset> unused;
  const RunFolder nowhere{"runs"};
  if (choose) recipe = make_recipe(config, dataset, nowhere, *backend, request, unused);
  choose_best_by(config, dataset);
  resolve(config);
  if (recipe)
    std::printf("%s:\n%s", recipe->heading.c_str(), recipe_lines(*recipe).c_str());
  else
    std::printf("no recipe: every setting is given, or --recipe none\n");
  size_t memory = recipe ? recipe->measured.memory : 0, weights = 0;
  {
    Network network(*backend, compute_type(config),
                    model_spec(config, static_cast<int64_t>(dataset.classes.size())));
    const PictureSize size = config.clip.transform.crop;
    const Shape shape{config.train.batch, 3, config.clip.sampler.frames, size.height, size.width};
    network.output_shape(shape);
    weights = network.parameter_bytes();
    if (memory == 0) memory = network.planned_bytes(shape, Mode::train) + weights * 3 / 2;
  }
  const double cache = recipe ? static_cast<double>(recipe->measured.cache_bytes) : 0;
  std::printf("%s; %s\n", split_sizes(dataset).c_str(),
              dataset.of(Split::val).empty() ? "without validation clips the last epoch is kept"
                                             : ("best epoch" + by_what(config.train.best_by)).c_str());
  if (recipe && recipe->planned_seconds > 0)
    std::printf("time    about %s, of it %s before the first epoch\n",
                duration_text(recipe->planned_seconds).c_str(),
                duration_text(recipe->measured.spent_seconds).c_str());
  std::printf("memory  about %s for the network\ndisk    about %s: checkpoints%s\n",
              mebibytes(static_cast<double>(memory)).c_str(),
              mebibytes(cache + 3.0 * static_cast<double>(weights)).c_str(),
              cache > 0 ? ", and the shrunken clips" : "");
  if (recipe)
    for (const std::string& note : recipe->notes) std::printf("note: %s\n", note.c_str());
  if (!config.recipe.floor || (dataset.of(Split::val).empty() && dataset.of(Split::test).empty())) return;
  const auto floor = measure_floor_with_progress(dataset, config);
  if (!floor) throw Canceled{};
  std::printf("the floor, which needs no network:\n%s", floor_table(*floor).c_str());
}

void train_anew(const Options& options) {
  const auto begun = std::chrono::steady_clock::now();
  std::vector<std::string> notes, in_file;
  const auto apply = [&](Config config) {
    notes.clear();
    in_file.clear();
    if (!options.config.empty()) apply_config_file(config, options.config, &notes, &in_file);
    options.flags.apply(config);
    return config;
  };
  Config config = apply({});
  for (const std::string& note : notes) std::fprintf(stderr, "note: %s\n", printable(note).c_str());
  Roles noted;                              // what weights or features say of themselves
  if (!config.finetune.features.empty()) {  // whose clips and model are the defaults then
    const Config made = read_features(config.finetune.features).config;
    Config defaults;
    defaults.clip = made.clip;
    defaults.model = made.model;
    config = apply(defaults);
  }
  std::optional<StateDict> weights;
  if (!config.model.weights.empty()) weights = read_weights(config.model.weights);
  if (config.finetune.features.empty() && weights) {  // what these note, likewise
    Config defaults;
    std::vector<std::string> given = options.flags.given();
    if (config.clip.transform.crop != defaults.clip.transform.crop)
      given.emplace_back("size");  // in a config file, perhaps
    const Notes says = apply_notes(defaults, *weights, given);
    config = apply(defaults);
    if (says.model) noted = noted | Role::network;
    if (says.clips) noted = noted | Role::sampling | Role::picture;
  }
  choose_threads(config);
  choose_device(config);
  {  // what is wrong already, before any work
    Config tested = config;
    resolve(tested);
  }
  const Dataset dataset = open(config);
  const auto flags = options.flags.given();
  in_file.insert(in_file.end(), flags.begin(), flags.end());
  RecipeRequest request{.given = GivenSettings(in_file, noted), .begun = begun};
  request.minutes_given = std::ranges::find(in_file, "minutes") != in_file.end();
  request.plan = options.plan;
  const bool choose = config.recipe.kind == RecipeKind::automatic && config.finetune.features.empty() &&
                      request.given.leaves_something();
  if (options.plan) {
    plan(config, dataset, request, choose);
    return;
  }
  const std::string name = std::filesystem::weakly_canonical(config.data.path).filename().string();
  const HeldRun held = options.run.empty()
                           ? hold_unused_folder(std::filesystem::path("runs") / name, kActivity)
                           : HeldRun{{options.run}, FolderLock(options.run, kActivity)};
  print_note(held.lock);
  const RunFolder& folder = held.folder;
  folder.require_free(options.overwrite);  // before files are looked through, which may take long
  Observed observed(config, options.check);
  std::optional<Recipe> recipe;
  std::optional<Dataset> shrunken;
  install_interrupt_handler();
  require_training_clips(dataset);
  class_weights(config, dataset);  // before anything that takes time
  if (choose) {
    recipe = make_recipe(config, dataset, folder, observed.device(), request, shrunken);
    print_recipe(*recipe);
  }
  prepare_cache(config, dataset, folder, shrunken);
  const Dataset& clips = shrunken ? *shrunken : dataset;
  choose_best_by(config, clips);
  resolve(config);
  Display display;
  display.set_work(static_cast<int64_t>(clips.of(Split::train).size()), config);
  Trainer trainer(observed.backend(), config, clips, folder, display, interrupt_flag());
  if (weights) {
    start_from(*weights, trainer.network());
    if (config.finetune.features.empty() && !noted.any(Role::picture))
      tell_unknown_clips(weights->path().string(), config);
  }
  folder.create(options.overwrite);
  write_file(folder.config(), config_text(config, recipe));
  if (recipe) write_file(folder.recipe(), to_json(*recipe));
  describe(config, clips, trainer, folder);
  train(trainer, display, config, clips, folder);
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
  if (!options.config.empty() || !options.run.empty() || options.overwrite || options.plan)
    throw UsageError("--resume excludes --config, --output, --overwrite and --plan",
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
  if (options.flags.has("patience") && config.train.patience > 0 && config.train.best_by == BestBy::last &&
      !options.flags.has("best-by")) {
    config.train.best_by = BestBy::loss;
    std::fputs(
        "note: --patience needs a measure: from now on the best epoch is that of the lowest validation loss\n",
        stderr);
  }
  choose_threads(config);
  choose_device(config);
  resolve(config);
  if (checkpoint.info().state.epoch >= config.train.epochs) {
    std::printf("%s has finished all its %lld epochs; a larger --epochs continues it\n", folder.path.c_str(),
                static_cast<long long>(config.train.epochs));
    return;
  }
  // Before a network of somebody's choosing is built.
  require_fit(StateDict::read(folder.last()),
              model_spec(config, static_cast<int64_t>(checkpoint.info().classes.size())),
              HeadPolicy::must_fit);
  const Dataset dataset = open(config);
  Observed observed(config, options.check);
  std::optional<Dataset> shrunken;
  install_interrupt_handler();
  prepare_cache(config, dataset, folder, shrunken);
  const Dataset& clips = shrunken ? *shrunken : dataset;
  choose_best_by(config, clips);
  Display display;
  display.set_work(static_cast<int64_t>(clips.of(Split::train).size()), config);
  Trainer trainer(observed.backend(), config, clips, folder, display, interrupt_flag());
  trainer.resume(checkpoint);
  write_file(folder.config(), config_text(config, recipe_of(folder.path)));
  std::fprintf(stderr, "resuming %s after step %lld\n", folder.path.c_str(),
               static_cast<long long>(trainer.state().step));
  train(trainer, display, config, clips, folder);
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
  command.add("--plan", options->plan,
              "only print the recipe, the floor, and what time, memory and disk the run would take");
  command
      .add("--check", options->check,
           "compare every op of the first N steps with the reference; stop at the first that disagrees; slow")
      .range(int64_t{0}, int64_t{1} << 40)
      .shown_default("");
  options->flags.add_to(command);
  command.example("laban train clips")
      .example("laban train clips --minutes 60")
      .example("laban train clips --plan")
      .example("laban train clips --weights torchvision/r3d_18")
      .example("laban train clips --weights mine.pt --model r3d_18 --preset torchvision")
      .example("laban train --resume runs/clips --epochs 60");
  command.action([options] {
    outlive_readers();
    options->resume.empty() ? train_anew(*options) : go_on(*options);
  });
}

}  // namespace laban::tools
