// laban cache: a shrunken copy of a dataset that loads many times faster.
#include <cstdio>
#include <memory>
#include <string>

#include "cli/held_folder.h"
#include "cli/interrupt.h"
#include "cli/open_data.h"
#include "cli/options.h"
#include "cli/printable.h"
#include "cli/progress.h"
#include "commands/commands.h"
#include "core/error.h"
#include "core/text.h"
#include "data/cache/cache.h"

namespace laban::tools {
namespace {

struct Options {
  std::string data, output;
  CacheSettings cache;
  bool raw = false;
  ConfigFlags flags;
};

[[noreturn]] void stopped() { throw Error("stopped; the same command continues from the finished shards"); }

void make(const Options& options) {
  outlive_readers();
  install_interrupt_handler();  // before a large dataset is looked for
  Config config;
  options.flags.apply(config);
  choose_threads(config);
  const Dataset dataset = open_data(config, options.data);
  print_notes(dataset);
  if (interrupted()) stopped();
  CacheSettings settings = options.cache;
  settings.coding = options.raw ? ShardCoding::raw : ShardCoding::jpeg;
  settings.workers = config.data.workers;
  settings.on_bad_file = config.data.on_bad_file;
  settings.stop = &interrupt_flag();
  const FolderLock lock = hold_folder(options.output, "laban cache");
  Progress progress("caching", static_cast<int64_t>(dataset.items.size()));
  CacheResult result;
  const bool done = make_cache(
      dataset, options.output, settings,
      [&](int64_t clips, int64_t) {
        progress.update(clips);
        return !interrupted();
      },
      result);
  if (!done) stopped();
  progress.finish();
  for (const BadFile& shard : result.damaged_shards)
    std::fprintf(stderr, "made again: %s\n",
                 printable(shard.reason.substr(0, shard.reason.find('\n'))).c_str());
  for (const BadFile& bad : result.bad_files)
    std::fprintf(stderr, "left out: %s\n", printable(bad.reason).c_str());
  std::printf("%s: %lld clips in %lld shards (%lld already there), %.1f MiB; use it as DATA: %s\n",
              options.output.c_str(), static_cast<long long>(result.clips),
              static_cast<long long>(result.shards), static_cast<long long>(result.kept_shards),
              static_cast<double>(result.bytes) / (1024.0 * 1024.0), shell_word(options.output).c_str());
}

}  // namespace

void add_cache(Command& program) {
  auto options = std::make_shared<Options>();
  Command& command =
      program.subcommand("cache", "write a downscaled copy of a dataset that loads many times faster");
  command.add("DATA,--data", options->data, "dataset folder, or a list of clips")
      .path(PathKind::any)
      .required();
  command.add("-o,--output", options->output, "folder for the copy, which is a dataset like any other")
      .path(PathKind::folder)
      .required();
  command
      .add("--short-side", options->cache.short_side,
           "the smaller of width and height; smaller frames are kept as they are")
      .range(8, 8192);
  command.add("--quality", options->cache.quality, "JPEG quality").range(1, 100);
  command.add("--raw", options->raw, "raw planes instead of JPEG: faster, several times larger");
  command
      .add("--clips-per-shard", options->cache.clips_per_shard,
           "clips per file; an interruption costs at most one file")
      .range(1, 1 << 20);
  std::vector<std::string> flags{"workers", "on-bad-file"};
  for (const std::vector<std::string>& more : {limit_flags(), dataset_flags()})
    flags.insert(flags.end(), more.begin(), more.end());
  options->flags.add_to(command, flags);
  command.example("laban cache clips -o clips-small")
      .example("laban cache clips -o clips-small --short-side 128 --quality 90");
  command.action([options] { make(*options); });
}

}  // namespace laban::tools
