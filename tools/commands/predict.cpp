// laban predict: what a trained network sees in video files.
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/interrupt.h"
#include "cli/printable.h"
#include "cli/progress.h"
#include "cli/trained_network.h"
#include "cli/weights_notes.h"
#include "commands/commands.h"
#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/dataset/csv.h"
#include "train/evaluate/evaluation.h"

namespace laban::tools {
namespace {

struct Options {
  std::vector<std::string> paths;
  std::string output;
  int top = 3;
  Views views;
  bool json = false;
  NetworkSource source;
};

std::string json_document(const Options& options, const TrainedNetwork& trained, const Dataset& dataset,
                          const Classified& classified) {
  using Json = nlohmann::ordered_json;
  Json predictions = Json::array(), bad_files = Json::array();
  for (const Prediction& p : classified.predictions) {
    Json best = Json::array();
    for (const int k : top(p.probabilities, options.top))
      best.push_back({{"class", dataset.classes[static_cast<size_t>(k)]},
                      {"probability", p.probabilities[static_cast<size_t>(k)]}});
    predictions.push_back(
        {{"file", dataset.items[static_cast<size_t>(p.item)].name}, {"top", best}, {"frames", p.frames}});
  }
  for (const BadFile& bad : classified.bad_files)
    bad_files.push_back({{"file", bad.file}, {"reason", bad.reason}});
  Json clips = Json::object();
  for (const auto& [flag, value] : clip_settings(trained.info.config)) clips[flag] = value;
  const Json document{
      {"checkpoint", trained.file}, {"clips", clips}, {"predictions", predictions}, {"bad_files", bad_files}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// A row for each file and class, the most probable class first.
std::string csv_document(const Options& options, const Dataset& dataset, const Classified& classified) {
  std::string out = "file,rank,class,probability\n";
  for (const Prediction& p : classified.predictions) {
    int rank = 0;
    for (const int k : top(p.probabilities, options.top))
      out += text(csv_cell(dataset.items[static_cast<size_t>(p.item)].name), ',', ++rank, ',',
                  csv_cell(dataset.classes[static_cast<size_t>(k)]), ',',
                  p.probabilities[static_cast<size_t>(k)], '\n');
  }
  return out;
}

enum class Format { none, csv, json };

Format format_of(const std::string& output) {
  if (output.empty()) return Format::none;
  std::string extension = std::filesystem::path(output).extension().string();
  std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return std::tolower(c); });
  if (extension == ".csv") return Format::csv;
  if (extension == ".json") return Format::json;
  throw UsageError(text("--output ", output, ": the extension says what to write"),
                   "Available: .csv, .json.");
}

/// "clips/a.mp4:  tango 81.2 %  waltz 11.0 %", as soon as it is known.
void print(const Options& options, const Dataset& dataset, const Prediction& p, Progress* progress) {
  std::string line = visible(dataset.items[static_cast<size_t>(p.item)].name) + ":";
  for (const int k : top(p.probabilities, options.top))
    line += "  " + visible(dataset.classes[static_cast<size_t>(k)]) + " " +
            percent(p.probabilities[static_cast<size_t>(k)]);
  if (progress) progress->clear();
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

void predict(const Options& options) {
  const Format format = format_of(options.output);
  if (format != Format::none) require_writable(options.output);
  const TrainedNetwork trained = load_network(options.source, NetworkUse::classify);
  if (!trained.classes_named)
    std::fprintf(
        stderr,
        "note: %s does not name its %zu classes: their names are unknown here, and they are numbered from "
        "class 0\n  --class-names FILE names them, one a line.\n",
        printable(trained.file).c_str(), trained.info.classes.size());
  Dataset dataset = unlabeled({options.paths.begin(), options.paths.end()});
  dataset.root = "the files given";  // for messages
  dataset.classes = trained.info.classes;
  const size_t files = dataset.items.size();
  LoaderSettings settings = loader_settings(trained.info.config, SampleMode::test);
  settings.on_bad_file = OnBadFile::stop;
  settings.stop = &interrupt_flag();
  install_interrupt_handler();
  std::optional<Progress> progress;
  if (files > 1) progress.emplace("classifying", static_cast<int64_t>(files));

  Classified all;
  const auto group_at = [&](const std::vector<int>& items) {
    std::optional<Classified> classified = classify(*trained.network, dataset, items, settings, options.views,
                                                    [](int64_t, int64_t) { return !interrupted(); });
    if (!classified)
      throw Error(text("stopped after ", all.predictions.size(), " of ", files, " files",
                       format == Format::none ? "" : "; " + options.output + " was not written"));
    for (Prediction& p : classified->predictions) {
      if (!options.json) print(options, dataset, p, progress ? &*progress : nullptr);
      all.predictions.push_back(std::move(p));
    }
  };
  // Group by group, so that results can be read as they come. One bad file among many must not hide the
  // others' results: its group is read again, file by file.
  const std::vector<int> items = dataset.of(Split::test);
  const auto size = static_cast<size_t>(settings.batch);
  for (size_t begin = 0; begin < files; begin += size) {
    const std::vector<int> group(items.begin() + static_cast<std::ptrdiff_t>(begin),
                                 items.begin() + static_cast<std::ptrdiff_t>(std::min(files, begin + size)));
    try {
      group_at(group);
    } catch (const FileError&) {
      if (files == 1) throw;
      for (const int item : group) try {
          group_at({item});
        } catch (const FileError& error) {
          all.bad_files.push_back({error.file(), error.what()});
        }
    }
    if (progress) progress->update(static_cast<int64_t>(begin + group.size()));
  }
  if (progress) progress->finish();
  std::ranges::sort(all.bad_files, {}, &BadFile::file);
  const std::string document = json_document(options, trained, dataset, all);
  if (format != Format::none)
    write_file(options.output, format == Format::csv ? csv_document(options, dataset, all) : document);
  if (options.json) std::fputs(document.c_str(), stdout);
  if (format != Format::none) std::fprintf(stderr, "written to %s\n", options.output.c_str());
  for (const BadFile& bad : all.bad_files) std::fprintf(stderr, "laban: %s\n", printable(bad.reason).c_str());
  if (!all.bad_files.empty())
    throw Error(text(all.bad_files.size(), " of ", files, " files could not be read"));
}

}  // namespace

void add_predict(Command& program) {
  auto options = std::make_shared<Options>();
  Command& command = program.subcommand("predict", "classify videos");
  command
      .add("PATH", options->paths,
           "videos, folders of videos, folders with a clip's frames, or lists of these")
      .path(PathKind::any)
      .required();
  command.add("--top", options->top, "classes listed for each video").range(1, 10000);
  add_view_flags(options->views, command);
  command.add("--json", options->json, "print the result as JSON");
  command.add("-o,--output", options->output, "also write the result to this file: .csv or .json")
      .path(PathKind::file);
  options->source.add_to(command, NetworkUse::classify);
  command.example("laban predict dance.mp4 --run runs/clips")
      .example("laban predict videos/ --run runs/clips -o predictions.csv");
  command.action([options] { predict(*options); });
}

}  // namespace laban::tools
