// laban index: looks how a dataset lies on the disk, and writes its clips down.
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

void write_index(const Options& options) {
  Config config;
  options.flags.apply(config);
  const bool by_index = config.data.dataset.layout == "index";  // an index that is there is made anew
  const Dataset dataset =
      open_data(config, options.data, {.use_index = by_index, .write_sketches = !options.dry_run});
  print_notes(dataset);
  std::printf("%s: layout %s, %s\n%s", visible(dataset.root.string()).c_str(), dataset.layout.c_str(),
              split_sizes(dataset).c_str(), class_table(dataset).c_str());
  std::fputs(ignored_line(dataset).c_str(), stdout);
  if (options.dry_run) return;
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
