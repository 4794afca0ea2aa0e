// laban cache: a shrunken copy of a dataset that loads many times faster.
#include <cstdio>
#include <memory>
#include <string>

#include "cli/held_folder.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "commands/commands.h"
#include "core/error.h"
#include "data/cache/cache.h"

namespace laban::tools {
namespace {

struct Options {
  std::string data, output;
  CacheSettings cache;
  bool raw = false;
  ConfigFlags flags;
};

[[noreturn]] void stopped() {
  throw Error("stopped; the same command goes on with the shards that are finished");
}

void make(const Options& options) {
  outlive_readers();
  install_interrupt_handler();  // before a large dataset is looked for
  Config config;
  options.flags.apply(config);
  choose_threads(config);
  const DatasetSettings how = dataset_settings(config);
  const Dataset dataset = open_dataset(options.data, how);
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
    std::fprintf(stderr, "made again: %s\n", shard.reason.substr(0, shard.reason.find('\n')).c_str());
  for (const BadFile& bad : result.bad_files) std::fprintf(stderr, "left out: %s\n", bad.reason.c_str());
  std::printf("%s: %lld clips in %lld shards (%lld were there), %.1f MiB; use it with --data %s\n",
              options.output.c_str(), static_cast<long long>(result.clips),
              static_cast<long long>(result.shards), static_cast<long long>(result.kept_shards),
              static_cast<double>(result.bytes) / (1024.0 * 1024.0), options.output.c_str());
}

}  // namespace

void add_cache(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "cache", "write a shrunken copy of a dataset, from which clips are loaded many times faster");
  command->add_option("data", options->data, "the dataset's folder, or a list of clips")->required();
  command->add_option("-o,--output", options->output, "the folder for the copy; a dataset like any other")
      ->required();
  command
      ->add_option("--short-side", options->cache.short_side,
                   "rows or columns, whichever are fewer; smaller pictures stay as they are")
      ->check(CLI::Range(8, 8192))
      ->capture_default_str();
  command->add_option("--quality", options->cache.quality, "of the JPEG pictures")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command->add_flag("--raw", options->raw, "planes of bytes instead of JPEG: faster, several times larger");
  command
      ->add_option("--clips-per-shard", options->cache.clips_per_shard,
                   "clips of one file: what an interruption can cost at most")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  std::vector<std::string> flags{"workers", "on-bad-file"};
  for (std::string& flag : dataset_flags()) flags.push_back(std::move(flag));
  options->flags.add_to(*command, flags);
  command->callback([options] { make(*options); });
}

}  // namespace laban::tools
