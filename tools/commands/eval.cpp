// laban eval: measures a trained network on one split of a dataset.
#include <cmath>
#include <cstdio>
#include <memory>
#include <numeric>
#include <optional>
#include <string>

#include "cli/floor_text.h"
#include "cli/interrupt.h"
#include "cli/open_data.h"
#include "cli/printable.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "cli/trained_network.h"
#include "cli/weights_notes.h"
#include "commands/commands.h"
#include "core/error.h"
#include "core/files.h"
#include "core/folder_lock.h"
#include "core/text.h"
#include "train/config/words.h"
#include "train/evaluate/evaluation.h"
#include "train/evaluate/evaluation_json.h"
#include "train/run_folder.h"

namespace laban::tools {
namespace {

struct Options {
  std::string data, split, output;
  Views views;
  bool json = false;
  NetworkSource source;
};

constexpr const char* kAll = "all";

/// Nothing for all clips.
std::optional<Split> split_by_name(const std::string& name) {
  for (size_t i = 0; i < kSplitNames.size(); ++i)
    if (name == kSplitNames[i]) return static_cast<Split>(i);
  return std::nullopt;
}

/// What is measured, and how that is said.
struct Subject {
  Dataset dataset{};
  bool own = false;     // the run's dataset
  std::string split{};  // or kAll
  std::string said{};
};

bool is_same_path(const std::string& a, const std::string& b) {
  std::error_code failed;
  return std::filesystem::weakly_canonical(a, failed) == std::filesystem::weakly_canonical(b, failed);
}

/// The settings for a dataset that is not the run's: what tells how the run's lies on the disk does not count.
Config for_other_data(const Config& config, const ConfigFlags& flags) {
  Config other = config;
  const DatasetSettings defaults;
  if (!flags.has("layout")) other.data.dataset.layout = defaults.layout;
  if (!flags.has("media")) other.data.dataset.media = defaults.media;
  if (!flags.has("fold")) other.data.dataset.fold = defaults.fold;
  if (!flags.has("list-columns")) other.data.dataset.list_columns = defaults.list_columns;
  return other;
}

/// The dataset as the run split it, if these are its clips at another place; nothing if they are not.
std::optional<Dataset> moved_copy(const Dataset& whole, const std::string& path, const Config& config,
                                  const CheckpointInfo& info) {
  if (info.dataset.empty() || whole.items.size() != info.clips.size()) return std::nullopt;
  try {
    Dataset divided = open_data(config, path);
    if (fingerprint(divided, {}) == info.dataset) return divided;
  } catch (const Error&) {  // it cannot be split as the run's was: another one, then
  }
  return std::nullopt;
}

Subject subject_of(const Options& options, const Config& config, const CheckpointInfo& info) {
  const std::string path = options.data.empty() ? config.data.path : options.data;
  const std::string shown = visible(path);
  Subject subject{.own = options.data.empty() || is_same_path(options.data, config.data.path),
                  .split = options.split.empty() ? "test" : options.split};
  if (subject.own) {
    subject.dataset = open_data(config, path);
    // Where bad files were left out, only the number of clips can be compared.
    const bool same = config.data.on_bad_file == OnBadFile::exclude
                          ? info.dataset.starts_with(text(subject.dataset.items.size(), " clips, "))
                          : info.dataset == fingerprint(subject.dataset, {});
    if (subject.dataset.drawn != DrawnSplits::none && !info.dataset.empty() && !same)
      subject.dataset.notes.push_back(
          text(shown,
               " is not as it was when this network was trained (clips were added, removed or left out): its "
               "random split is another now, and clips measured here may have been trained on"));
  } else {
    const Config other = for_other_data(config, options.source.flags);
    DatasetSettings settings = dataset_settings(other);
    settings.undivided = true;
    subject.dataset = open_dataset(path, settings);
    if (subject.dataset.undivided) {
      if (std::optional<Dataset> moved = moved_copy(subject.dataset, path, other, info)) {
        subject.dataset = *std::move(moved);
        subject.own = true;
      } else if (options.split.empty() || options.split == kAll) {
        subject.split = kAll;
        subject.said = text("measured: all ", subject.dataset.items.size(), " clips of ", shown,
                            ", which defines no splits");
      } else {
        subject.dataset = open_data(other, path);
        subject.dataset.notes.push_back(
            text(shown, " defines no splits: the clips of ", options.split,
                 " were chosen at random; without --split all clips are measured"));
      }
    }
  }
  if (subject.said.empty())
    subject.said = subject.split == kAll
                       ? text("measured: all ", subject.dataset.items.size(), " clips of ", shown)
                       : text("measured: the split ", subject.split, " of ", shown);
  return subject;
}

/// "0.902"; a dash for what nobody knows.
std::string fraction_text(double value, int digits = 3) {
  return std::isfinite(value) ? fixed(value, digits) : "–";
}

/// A row a class. A class without clips has no recall, and one that was never predicted no precision.
std::string class_results(const Evaluation& e) {
  const auto cell = [](double fraction, const std::optional<Interval>& ci) {
    return ci ? text(percent(fraction), " (", percent(ci->low, 0), " to ", percent(ci->high, 0), ")")
              : std::string("–");
  };
  Table table(
      {"class", "clips", "right", "recall (95 % interval)", "predicted", "precision (95 % interval)", "F1"},
      "lrrlrlr");
  for (const ClassResult& c : e.per_class)
    table.add({visible(c.name), std::to_string(c.count), std::to_string(c.correct),
               c.count > 0 ? cell(c.accuracy, c.ci95) : "no clips", std::to_string(c.predicted),
               cell(c.precision, c.precision_ci95), fraction_text(c.f1)});
  return table.str();
}

void print(const Evaluation& e) {
  const auto interval = [](const std::optional<Interval>& i) {
    return i ? percent(i->low) + " to " + percent(i->high) : std::string("none");
  };
  std::printf("%s: %lld clips%s\n", e.split.c_str(), static_cast<long long>(e.clips),
              e.single_frame ? ", each showing one of its frames throughout" : "");
  std::printf("  accuracy             %s  (95 %% interval %s)\n", percent(e.accuracy).c_str(),
              interval(e.ci95).c_str());
  std::printf(
      "  macro-F1             %s\n  balanced accuracy    %s  (mean recall of the classes)\n  top-5 accuracy       "
      "%s\n  loss                 %s\n",
      fraction_text(e.macro_f1).c_str(), percent(e.mean_class_accuracy).c_str(),
      percent(e.top5_accuracy).c_str(), fraction_text(e.loss, 4).c_str());
  if (e.views.count() > 1)
    std::printf("  %d clips x %d crops of each; single views: accuracy %s, top-5 accuracy %s\n",
                e.views.clips, e.views.crops, percent(e.view_accuracy).c_str(),
                percent(e.view_top5_accuracy).c_str());
  std::fputs(class_results(e).c_str(), stdout);
}

/// What needs no network, beside it; nothing where the run has no floor, or one for other clips.
void print_floor(const std::string& run, const Evaluation& e, const std::string& dataset) {
  const std::optional<Floor> floor = floor_of(run);
  if (!floor || floor->dataset != dataset) return;
  std::vector<int64_t> clips;
  for (const ClassResult& c : e.per_class) clips.push_back(c.count);
  const BestBy by = floor_criterion(clips);
  if (const std::string line = floor_line(*floor, e.split, by); !line.empty())
    std::printf("%s\n", line.c_str());
  const std::string below =
      below_floor(*floor, e.split, by, by == BestBy::macro_f1 ? e.macro_f1 : e.accuracy);
  if (!below.empty()) std::printf("%s\n", below.c_str());
}

/// Which epoch of the run the weights are from; empty where nobody knows.
std::string which_epoch(const NetworkSource& source, const CheckpointInfo& info) {
  const TrainingState& state = info.state;
  if (!source.weights.empty() || state.epoch == 0) return "";
  std::string which = text("network: epoch ", state.epoch, " of ", info.config.train.epochs);
  if (state.batch == 0 && state.best_epoch == state.epoch)
    which += text(", the best so far", by_what(info.config.train.best_by), " (validation loss ",
                  fixed(state.best_loss, 3), ", accuracy ", percent(state.best_accuracy), ", macro-F1 ",
                  fraction_text(state.best_macro_f1), ")");
  return which;
}

/// Weights whose classes have no names mean the dataset's, in order, if these are as many.
void name_classes(TrainedNetwork& trained, const Dataset& dataset) {
  if (trained.classes_named) return;
  const size_t here = dataset.classes.size(), there = trained.info.classes.size();
  const char* advice = "--class-names FILE names them, one a line, in the order of the network's outputs.";
  if (here != there)
    throw UsageError(text(visible(trained.file), " does not name its ", there, " classes, and ",
                          visible(dataset.root.string()), " has ", here, ", so their order is unknown"),
                     advice);
  std::fprintf(stderr,
               "note: %s does not name its %zu classes; taken are the dataset's, in their order: %s\n  %s\n",
               printable(trained.file).c_str(), there, printable(join(dataset.classes)).c_str(), advice);
  trained.info.classes = dataset.classes;
}

void evaluate(const Options& options) {
  outlive_readers();
  std::optional<FolderUse> reading;  // so that the result belongs to the run that is there when it is written
  if (!options.source.run.empty()) reading.emplace(options.source.run, FolderUse::Kind::read);
  TrainedNetwork trained = load_network(options.source, NetworkUse::classify);
  Config& config = trained.info.config;
  if (options.data.empty()) keep_index_apart(config);
  if (options.data.empty() && config.data.path.empty())
    throw UsageError("laban eval: DATA is missing: a folder of class folders with video files",
                     "Usage: laban eval DATA [options]");
  Subject subject = subject_of(options, config, trained.info);
  Dataset& dataset = subject.dataset;
  const std::optional<Split> split = split_by_name(subject.split);
  print_notes(dataset);
  name_classes(trained, dataset);
  const std::string floor_key = fingerprint(dataset, {});  // of the classes as they are there
  relabel(dataset, trained.info.classes);
  std::vector<int> items(dataset.items.size());
  std::iota(items.begin(), items.end(), 0);
  if (split) items = dataset.of(*split);
  if (items.empty())
    throw UsageError(text(dataset.root.string(), " has no clips in the split '", subject.split, "'"),
                     text("It has: ", split_sizes(dataset), "; choose another --split, or --split all."));

  std::string output = options.output;
  // The run's folder keeps what was measured on the run's own dataset, which the report shows; what other clips gave is
  // no result of the run either.
  const bool of_run = !options.source.run.empty() && subject.own && !trained.clips_changed;
  if (output.empty() && of_run)
    output = RunFolder{options.source.run}.evaluation(subject.split, config.clip.single_frame).string();
  if (!output.empty()) require_writable(output);

  install_interrupt_handler();
  std::optional<Progress> progress;
  LoaderSettings settings =
      loader_settings(config, split && *split == Split::val ? SampleMode::val : SampleMode::test);
  settings.stop = &interrupt_flag();
  settings.on_check = [&](int64_t done, int64_t of) {
    if (!progress) progress.emplace("reading files", of);
    progress->update(done);
    if (done < of) return;
    progress->finish();
    progress.reset();
  };
  const auto classified =
      classify(*trained.network, dataset, items, settings, options.views, [&](int64_t done, int64_t of) {
        if (!progress) progress.emplace("evaluating", of);
        progress->update(done);
        return !interrupted();
      });
  if (!classified) throw Error("stopped; nothing was written");
  if (progress) progress->finish();

  Evaluation evaluation = summarize(*classified, dataset, trained.info.classes, options.views);
  evaluation.split = subject.split;
  evaluation.single_frame = config.clip.single_frame;
  for (const auto& [flag, value] : clip_settings(config)) evaluation.clip_settings[flag] = value;
  if (options.source.weights.empty()) evaluation.epoch = trained.info.state.epoch;
  const std::string document = to_json(evaluation);
  if (!output.empty()) write_file(output, document);
  if (options.json) {
    std::fputs(document.c_str(), stdout);
  } else {
    std::printf("%s\n", subject.said.c_str());
    print(evaluation);
    if (const std::string which = which_epoch(options.source, trained.info); !which.empty())
      std::printf("%s\n", which.c_str());
    if (!options.source.run.empty()) print_floor(options.source.run, evaluation, floor_key);
  }
  if (!output.empty())
    std::fprintf(stderr, "written to %s\n", output.c_str());
  else if (!options.source.run.empty())
    std::fprintf(stderr, "note: not written to the run, whose %s; -o FILE writes it\n",
                 subject.own ? "clips are others" : "dataset is another");
  for (const BadFile& bad : evaluation.bad_files)
    std::fprintf(stderr, "left out: %s\n", printable(bad.reason).c_str());
  if (evaluation.clips == 0) throw Error(text("none of the ", items.size(), " clips could be read"));
}

}  // namespace

void add_eval(Command& program) {
  auto options = std::make_shared<Options>();
  Command& command = program.subcommand(
      "eval", "evaluate a trained network on a split of a dataset, or on all of another dataset");
  command.add("DATA,--data", options->data, "dataset folder, or a list of clips")
      .path(PathKind::any)
      .shown_default("the one it was trained on");
  command.add("--split", options->split, "split to evaluate; all: every clip")
      .choices({"train", "val", "test", kAll})
      .shown_default("test, or all of another dataset that defines no splits");
  add_view_flags(options->views, command);
  command.add("--json", options->json, "print the result as JSON");
  command.add("-o,--output", options->output, "JSON file to write")
      .path(PathKind::file)
      .shown_default("RUN/evaluation_SPLIT.json");
  options->source.add_to(command, NetworkUse::classify);
  options->source.flags.add_to(command, dataset_flags());
  command.example("laban eval --run runs/clips --split test")
      .example("laban eval new-clips --run runs/clips")
      .example("laban eval --run runs/clips --views 10 --crops 3")
      .example("laban eval clips --weights torchvision/r3d_18 --class-names kinetics.txt")
      .example("laban eval clips --weights net.pt --model r2plus1d_18 -o result.json");
  command.action([options] { evaluate(*options); });
}

}  // namespace laban::tools
