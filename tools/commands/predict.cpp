// laban predict: what a trained network sees in video files.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/interrupt.h"
#include "cli/trained_network.h"
#include "commands/commands.h"
#include "core/error.h"
#include "train/evaluate/evaluation.h"

namespace laban::tools {
namespace {

struct Options {
  std::vector<std::string> files;
  int top = 3;
  Views views;
  bool json = false;
  NetworkSource source;
};

void print_json(const Options& options, const TrainedNetwork& trained, const Dataset& dataset,
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
  const Json document{{"checkpoint", trained.file}, {"predictions", predictions}, {"bad_files", bad_files}};
  std::printf("%s\n", document.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

void predict(const Options& options) {
  const TrainedNetwork trained = load_network(options.source, NetworkUse::classify);
  Dataset dataset = unlabeled({options.files.begin(), options.files.end()});
  dataset.root = "the files given";  // for messages
  dataset.classes = trained.info.classes;
  LoaderSettings settings = loader_settings(trained.info.config, SampleMode::test);
  // One bad file among many must not hide the others' results.
  settings.on_bad_file = options.files.size() > 1 ? OnBadFile::exclude : OnBadFile::stop;
  settings.stop = &interrupt_flag();
  install_interrupt_handler();
  const auto classified = classify(*trained.network, dataset, dataset.of(Split::test), settings,
                                   options.views, [](int64_t, int64_t) { return !interrupted(); });
  if (!classified) throw Error("stopped");
  if (options.json) {
    print_json(options, trained, dataset, *classified);
  } else {
    for (const Prediction& p : classified->predictions) {
      std::string line = dataset.items[static_cast<size_t>(p.item)].name + ":";
      for (const int k : top(p.probabilities, options.top))
        line += "  " + dataset.classes[static_cast<size_t>(k)] + " " +
                percent(p.probabilities[static_cast<size_t>(k)]);
      std::printf("%s\n", line.c_str());
    }
  }
  for (const BadFile& bad : classified->bad_files) std::fprintf(stderr, "laban: %s\n", bad.reason.c_str());
  if (!classified->bad_files.empty())
    throw Error(text(classified->bad_files.size(), " of ", options.files.size(), " files could not be read"));
}

}  // namespace

void add_predict(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("predict", "classify video files, or folders of frames");
  command->add_option("files", options->files, "videos, or folders of JPEG or PNG frames")->required();
  command->add_option("--top", options->top, "classes to name for each")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  add_view_flags(options->views, *command);
  command->add_flag("--json", options->json, "print the result as JSON");
  options->source.add_to(*command, NetworkUse::classify);
  command->callback([options] { predict(*options); });
}

}  // namespace laban::tools
