// laban floor: what a dataset yields without any network.
#include <cstdio>
#include <memory>
#include <string>

#include "cli/floor_text.h"
#include "cli/interrupt.h"
#include "cli/open_data.h"
#include "cli/options.h"
#include "commands/commands.h"
#include "core/error.h"
#include "core/files.h"

namespace laban::tools {
namespace {

struct Options {
  std::string data, output;
  bool json = false;
  ConfigFlags flags;
};

void print_floor(const Options& options) {
  Config config;
  options.flags.apply(config);
  config.data.path = options.data;
  choose_threads(config);
  resolve(config);
  outlive_readers();
  if (!options.output.empty()) require_writable(options.output);
  const Dataset dataset = open_data(config, options.data);
  print_notes(dataset);
  if (dataset.of(Split::val).empty() && dataset.of(Split::test).empty())
    throw UsageError(text(dataset.root.string(), " has only training clips, so nothing can be measured"),
                     "Give it a validation or a test split.");
  install_interrupt_handler();
  const auto floor = measure_floor_with_progress(dataset, config);
  if (!floor) throw Error("stopped; nothing was written");
  const std::string document = to_json(*floor);
  if (!options.output.empty()) write_file(options.output, document);
  if (options.json)
    std::fputs(document.c_str(), stdout);
  else
    std::printf("%s: trained on %lld clips\n%s", dataset.root.c_str(),
                static_cast<long long>(floor->train_clips), floor_table(*floor).c_str());
  if (!options.output.empty()) std::fprintf(stderr, "written to %s\n", options.output.c_str());
}

}  // namespace

void add_floor(Command& program) {
  auto options = std::make_shared<Options>();
  Command& command = program.subcommand(
      "floor", "measure what needs no network: the most common class, and linear classifiers on thumbnails");
  command.add("DATA,--data", options->data, "dataset folder, or a list of clips")
      .path(PathKind::any)
      .required();
  command.add("--json", options->json, "print the result as JSON");
  command.add("-o,--output", options->output, "JSON file to write").path(PathKind::file);
  std::vector<std::string> flags = dataset_flags();
  for (const char* flag : {"workers", "index-cache", "single-frame"}) flags.emplace_back(flag);
  options->flags.add_to(command, flags);
  command.example("laban floor clips").example("laban floor clips/split.csv --json");
  command.action([options] { print_floor(*options); });
}

}  // namespace laban::tools
