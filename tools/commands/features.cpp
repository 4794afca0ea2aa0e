// laban features: what a network's last layer sees of every clip of a dataset, computed once.
#include <cstdio>
#include <memory>
#include <numeric>
#include <string>

#include "cli/interrupt.h"
#include "cli/open_data.h"
#include "cli/printable.h"
#include "cli/progress.h"
#include "cli/trained_network.h"
#include "commands/commands.h"
#include "core/error.h"
#include "core/files.h"
#include "data/video/watch.h"
#include "train/features/features.h"
#include "train/staging_memory.h"

namespace laban::tools {
namespace {

struct Options {
  std::string data, output;
  NetworkSource source;
};

void extract(const Options& options) {
  outlive_readers();
  const TrainedNetwork trained = load_network(options.source, NetworkUse::features);
  Config config = trained.info.config;
  config.model.weights = trained.file;  // where training on the features begins
  if (options.data.empty())
    keep_index_apart(config);
  else
    config.data.path = options.data;
  if (config.data.path.empty())
    throw UsageError("laban features: DATA is missing: a folder of class folders with video files",
                     "Usage: laban features DATA [options]");
  require_writable(options.output);
  const Dataset dataset = open_data(config, config.data.path);
  print_notes(dataset);

  std::vector<int> all(dataset.items.size());
  std::iota(all.begin(), all.end(), 0);
  install_interrupt_handler();
  Progress progress("computing features", static_cast<int64_t>(all.size()));
  LoaderSettings settings = loader_settings(config, SampleMode::test);
  settings.stop = &interrupt_flag();
  StagingMemory staging(trained.network->backend());
  staging.serve(settings);
  std::optional<Features> features;
  try {
    Loader loader(dataset, all, settings);
    features = extract_features(*trained.network, loader, dataset, [&](int64_t done, int64_t) {
      progress.update(done);
      return !interrupted();
    });
  } catch (const Canceled&) {  // features stay empty
  }
  if (!features) throw Error("stopped; nothing was written");
  progress.finish();
  features->config = config;
  write_features(options.output, *features);
  for (const BadFile& bad : features->bad_files)
    std::fprintf(stderr, "left out: %s\n", printable(bad.reason).c_str());
  std::printf("%s: %lld features of %zu clips\n", options.output.c_str(),
              static_cast<long long>(features->channels), features->names.size());
}

}  // namespace

void add_features(Command& program) {
  auto options = std::make_shared<Options>();
  Command& command =
      program.subcommand("features", "compute the inputs of a network's last layer for every clip, once");
  command.add("DATA,--data", options->data, "dataset folder, or a list of clips")
      .path(PathKind::any)
      .shown_default("the one it was trained on");
  command.add("-o,--output", options->output, "safetensors file to write").path(PathKind::file).required();
  options->source.add_to(command, NetworkUse::features);
  options->source.flags.add_to(command, dataset_flags());
  command.example("laban features clips --weights net.pt --model r2plus1d_18 -o clips.features")
      .example("laban train clips --features clips.features");
  command.action([options] { extract(*options); });
}

}  // namespace laban::tools
