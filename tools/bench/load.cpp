// laban bench load: clips a second, processor time a clip, and memory.
#include "bench/load.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "bench/bench.h"
#include "cli/interrupt.h"
#include "cli/open_data.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "core/error.h"
#include "core/sha256.h"
#include "data/video/watch.h"

namespace laban::tools {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

rusage usage() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  return used;
}

double processor_seconds() {
  const rusage used = usage();
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

int64_t resident_bytes() {
  int64_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

void add_batch(Sha256& hash, const Batch& batch) {
  hash.update(batch.labels.data(), batch.labels.size() * sizeof(int32_t));
  for (const auto& frames : batch.frame_indices) hash.update(frames.data(), frames.size() * sizeof(int64_t));
  hash.update(batch.clips.data(), batch.clips.size() * sizeof(float));
}

struct Options {
  std::string data, split = "all", mode = "train";
  int64_t segments = 16, clips = 0;
  bool json = false, hash = false;
  ConfigFlags flags;
};

std::vector<int> chosen_items(const Dataset& dataset, const std::string& split) {
  std::vector<int> items;
  for (size_t i = 0; i < dataset.items.size(); ++i)
    if (split == "all" || split == kSplitNames[static_cast<size_t>(dataset.items[i].split)])
      items.push_back(static_cast<int>(i));
  return items;
}

nlohmann::ordered_json describe(const Options& options, const LoaderSettings& settings,
                                const LoadResult& result) {
  nlohmann::ordered_json out{{"data", options.data},
                             {"segments", settings.sampler.segments()},
                             {"frames_per_segment", settings.sampler.frames_per_segment},
                             {"workers", settings.workers},
                             {"clips", result.clips},
                             {"seconds", result.seconds},
                             {"clips_per_second", result.clips_per_second()},
                             {"cpu_seconds_per_clip", result.cpu_seconds_per_clip()},
                             {"index_seconds", result.index_seconds},
                             {"bad_files", result.bad_files},
                             {"resident_bytes", result.resident_bytes},
                             {"peak_bytes", result.peak_bytes}};
  if (options.hash) out["sha256"] = result.sha256;
  return out;
}

void run(const Options& options) {
  Config config;
  config.data.on_bad_file = OnBadFile::exclude;
  options.flags.apply(config);
  SamplerSettings& sampler = config.clip.sampler;
  sampler.frames = static_cast<int>(options.segments) * sampler.frames_per_segment;
  choose_threads(config);
  resolve(config);
  const Dataset dataset = open_data(config, options.data);
  print_notes(dataset);
  const std::vector<int> items = chosen_items(dataset, options.split);
  if (items.empty())
    throw UsageError(text(dataset.root.string(), " has no clips in --split ", options.split));
  LoaderSettings settings =
      loader_settings(config, options.mode == "train" ? SampleMode::train : SampleMode::test);
  settings.drop_last = false;
  settings.stop = &interrupt_flag();
  const int64_t clips = options.clips > 0 ? options.clips : static_cast<int64_t>(items.size());
  install_interrupt_handler();
  const LoadResult result = bench_load(dataset, items, settings, clips, options.hash);
  if (options.json) {
    std::printf("%s\n", describe(options, settings, result).dump().c_str());
    return;
  }
  constexpr double kMiB = 1024.0 * 1024.0;
  std::printf("%s: clips of %d x %d frames of %s pixels, %d worker(s)\n", options.data.c_str(),
              settings.sampler.segments(), settings.sampler.frames_per_segment,
              size_text(config.clip.transform.crop).c_str(), settings.workers);
  std::printf("  looked through   %10zu files in %.2f s", items.size(), result.index_seconds);
  std::printf(result.bad_files ? ", %zu of them bad and left out\n" : "\n", result.bad_files);
  std::printf("  clips            %10lld in %.2f s\n", static_cast<long long>(result.clips), result.seconds);
  std::printf("  clips/s          %10.1f\n", result.clips_per_second());
  std::printf("  CPU seconds/clip %10.5f\n", result.cpu_seconds_per_clip());
  std::printf("  memory           %10.1f MiB at most; at each tenth of the clips:",
              static_cast<double>(result.peak_bytes) / kMiB);
  for (const int64_t bytes : result.resident_bytes) std::printf(" %.0f", static_cast<double>(bytes) / kMiB);
  std::printf("\n");
  if (options.hash) std::printf("  sha256           %s\n", result.sha256.c_str());
}

}  // namespace

LoadResult bench_load(const Dataset& dataset, const std::vector<int>& items, LoaderSettings settings,
                      int64_t clips, bool hash) {
  LoadResult result;
  auto begin = Clock::now();
  {
    Progress looking("looking through files", static_cast<int64_t>(items.size()));
    settings.on_bad_file = OnBadFile::exclude;
    settings.on_check = [&](int64_t done, int64_t) { looking.update(done); };
    const Loader once(dataset, items, settings);
    looking.finish();
    result.bad_files = once.bad_files().size();
  }
  settings.on_check = {};
  Loader loader(dataset, items, settings);
  result.index_seconds = since(begin);

  Progress progress("loading", clips);
  Sha256 checksum;
  begin = Clock::now();
  const double processor_before = processor_seconds();
  loader.start(0, 0, false);
  while (result.clips < clips) {
    const auto batch = loader.next();
    result.clips += batch->shape.n;
    if (hash) add_batch(checksum, *batch);
    const auto tenths = std::min<int64_t>(10, 10 * result.clips / clips);
    while (static_cast<int64_t>(result.resident_bytes.size()) < tenths)
      result.resident_bytes.push_back(resident_bytes());
    progress.update(std::min(result.clips, clips));
    if (interrupted()) throw Canceled{};
  }
  result.seconds = since(begin);
  result.cpu_seconds = processor_seconds() - processor_before;
  progress.finish();
  result.peak_bytes = int64_t{1024} * usage().ru_maxrss;
  if (hash) result.sha256 = checksum.hex();
  return result;
}

void add_bench_load(Command& bench) {
  auto options = std::make_shared<Options>();
  Command& load =
      bench.subcommand("load", "time clip loading from a dataset's files: decoding, scaling, augmentation");
  load.add("DATA,--data", options->data, "dataset folder, or a list of clips").path(PathKind::any).required();
  load.add("--segments", options->segments, "segments of the video from which a clip takes frames")
      .range(1, 4096);
  load.add("--clips", options->clips, "number of clips to load")
      .range(int64_t{1}, int64_t{1} << 40)
      .shown_default("every clip of the split once");
  load.add("--split", options->split, "split to load").choices({"all", "train", "val", "test"});
  load.add("--mode", options->mode, "train: random clips; test: the middle ones").choices({"train", "test"});
  load.add("--hash", options->hash, "print a checksum of all clips, to compare runs");
  load.add("--json", options->json, "print one JSON object instead of text");
  std::vector<std::string> flags =
      flags_with(Role::dataset | Role::loading | Role::sampling | Role::picture | Role::augmentation);
  std::erase(flags, "frames");       // --segments says it
  std::erase(flags, "on-bad-file");  // always left out
  flags.insert(flags.end(), {"batch", "seed"});
  options->flags.add_to(load, flags);
  load.example("laban bench load clips").example("laban bench load clips --clips 500 --workers 4 --json");
  load.action([options] { run(*options); });
}

}  // namespace laban::tools
