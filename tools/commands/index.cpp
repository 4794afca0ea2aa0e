// laban index: looks how a dataset lies on the disk, and writes its clips down.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

#include "cli/dataset_table.h"
#include "cli/open_data.h"
#include "cli/options.h"
#include "commands/commands.h"
#include "core/error.h"
#include "core/files.h"

namespace laban::tools {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string data, output;
  bool dry_run = false;
  ConfigFlags flags;
};

bool is_cache(const Dataset& dataset) {
  return std::ranges::any_of(dataset.items,
                             [](const DatasetItem& item) { return item.kind == ItemKind::cached; });
}

/// Opens the dataset by what is there beside an index; by the index itself, which is then kept, where there is nothing
/// else.
Dataset open_for_index(const Options& options, const Config& config, bool& kept) {
  OpenHow how{.use_index = config.data.dataset.layout == "index", .write_sketches = !options.dry_run};
  std::error_code failed;
  const bool has_index = fs::is_regular_file(fs::path(options.data) / kIndexFile, failed);
  if (how.use_index || !has_index || config.data.dataset.layout != "auto")
    return open_data(config, options.data, how);
  try {
    return open_data(config, options.data, how);
  } catch (const NoDataset&) {
    kept = how.use_index = true;
    return open_data(config, options.data, how);
  }
}

void write_index(const Options& options) {
  Config config;
  options.flags.apply(config);
  // An index that is there is made anew, but for one that is all that describes the clips, as in a cache: there is
  // nothing to make it from.
  bool kept = false;
  const Dataset dataset = open_for_index(options, config, kept);
  print_notes(dataset);
  std::printf("%s: layout %s, %s\n%s", visible(dataset.root.string()).c_str(), dataset.layout.c_str(),
              split_sizes(dataset).c_str(), class_table(dataset).c_str());
  std::fputs(ignored_line(dataset).c_str(), stdout);
  if (kept)
    std::printf("%s describes them already, and nothing else here does%s; %s\n", kIndexFile,
                is_cache(dataset) ? ": this is a copy that `laban cache` made" : "",
                options.output.empty() ? "it is kept as it is" : "the new table says the same");
  if (options.dry_run || (kept && options.output.empty())) return;
  const fs::path output = options.output.empty() ? dataset.root / kIndexFile : fs::path(options.output);
  const fs::path folder = output.has_parent_path() ? output.parent_path() : fs::path(".");
  require_replaceable(output, "an index",
                      [](std::string_view begin) { return begin.starts_with(kIndexHeader); });
  require_writable(output);
  write_file(output, index_text(dataset, folder));
  std::printf("wrote %s; from now on it says which clips there are and how they are split\n", output.c_str());
}

}  // namespace

void add_index(Command& program) {
  auto options = std::make_shared<Options>();
  Command& command = program.subcommand(
      "index",
      "find a dataset's clips, classes and splits, and write them to a table that all commands read");
  command.add("DATA,--data", options->data, "dataset folder, or an annotation list")
      .path(PathKind::any)
      .required();
  command.add("-o,--output", options->output, "table to write")
      .path(PathKind::file)
      .shown_default("DATA/laban-index.csv");
  command.add("--dry-run", options->dry_run, "only print what would be written");
  options->flags.add_to(command, dataset_flags());
  command.example("laban index clips --dry-run").example("laban index clips");
  command.action([options] { write_index(*options); });
}

}  // namespace laban::tools
