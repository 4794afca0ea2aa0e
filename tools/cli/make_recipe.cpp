#include "cli/make_recipe.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <sstream>

#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "core/error.h"
#include "core/processors.h"
#include "core/text.h"
#include "data/cache/cache.h"
#include "data/video/watch.h"

namespace laban::tools {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double free_bytes(const fs::path& folder) {
  std::error_code failed;
  fs::path there = fs::absolute(folder, failed);
  while (!there.empty() && !fs::exists(there, failed) && there != there.parent_path())
    there = there.parent_path();
  const fs::space_info space = fs::space(there, failed);
  return failed ? 0 : static_cast<double>(space.available);
}

/// The part of the time that measuring may take.
double trial_seconds(double minutes) { return std::clamp(60 * minutes / 100, 0.2, 6.0); }

/// Makes the cache, or says why there is none: a cache that nobody asked for must not keep anybody from training.
std::string try_cache(RecipeMaker& maker, const Config& config, const Dataset& dataset,
                      const RunFolder& folder, std::optional<Dataset>& clips) {
  const auto start = Clock::now();
  try {
    clips = open_run_cache(config, dataset, folder);
  } catch (const FileError& error) {
    std::error_code ignored;
    fs::remove_all(folder.cache(), ignored);
    if (config.recipe.cache == CacheUse::on) throw;
    return text("it could not be made: ", error.on_one_line());
  }
  const double seconds = since(start);
  int64_t bytes = 0;
  for (const fs::directory_entry& file : fs::directory_iterator(folder.cache()))
    if (file.is_regular_file()) bytes += static_cast<int64_t>(file.file_size());
  LoaderSettings settings = loader_settings(config, SampleMode::test);
  settings.keep_index = false;
  settings.workers = 1;
  settings.stop = &interrupt_flag();
  maker.cached(seconds, bytes, look_at(*clips, settings, 1).read_seconds);
  return "";
}

}  // namespace

Dataset open_run_cache(const Config& config, const Dataset& dataset, const RunFolder& folder) {
  CacheSettings settings;
  settings.short_side = config.recipe.cache_side;
  settings.clips_per_shard = static_cast<int>(std::clamp<size_t>(dataset.items.size() / 32, 1, 64));
  settings.workers = config.data.workers;
  settings.on_bad_file = config.data.on_bad_file;
  settings.stop = &interrupt_flag();
  CacheResult result;
  Progress progress("shrinking the clips", static_cast<int64_t>(dataset.items.size()));
  const bool made = make_cache(
      dataset, folder.cache(), settings,
      [&](int64_t done, int64_t) {
        progress.update(done);
        return !interrupted();
      },
      result);
  progress.finish();
  if (!made) throw Canceled{};
  for (const BadFile& bad : result.bad_files) std::fprintf(stderr, "left out: %s\n", bad.reason.c_str());
  // The dataset itself, its clips read from the copy. Those that were left out stay what they are: the loader leaves
  // them out, too, and says so where it does.
  std::map<std::string, DatasetItem> copies;
  for (DatasetItem& item : open_dataset(folder.cache(), {}).items) copies.emplace(item.name, std::move(item));
  Dataset shrunken = dataset;
  for (DatasetItem& item : shrunken.items)
    if (const auto copy = copies.find(item.name); copy != copies.end()) {
      item.path = copy->second.path;
      item.kind = copy->second.kind;
      item.filename_pattern.clear();
      item.range.reset();
    }
  return shrunken;
}

Recipe make_recipe(Config& config, const Dataset& dataset, const RunFolder& folder, Backend& backend,
                   const RecipeRequest& request, std::optional<Dataset>& clips) {
  LoaderSettings looking = loader_settings(config, SampleMode::test);
  looking.stop = &interrupt_flag();
  const int processors = available_processors();
  const bool timed = config.machine.device != DeviceKind::cuda || request.minutes_given;
  const double minutes = timed ? config.recipe.minutes : 15;
  std::fprintf(stderr, "choosing a recipe...\n");
  RecipeMaker maker(config, request.given, look_at(dataset, looking, std::min(10.0, 60 * minutes / 20)),
                    timed);
  const auto classes = static_cast<int64_t>(dataset.classes.size());
  while (maker.wants_trial())
    maker.tried(try_steps(backend, maker.trial_config(), classes, trial_seconds(minutes), &interrupt_flag()));

  const CachePlan cache = maker.plan_cache(free_bytes(folder.path), processors);
  if (cache.use && config.recipe.cache_side == 0) config.recipe.cache_side = cache.short_side;
  if (!cache.use) {
    maker.not_cached(cache.why);
  } else if (request.plan) {
    maker.cached(cache.seconds, static_cast<int64_t>(cache.bytes), 3e-3);
  } else if (const std::string why = try_cache(maker, config, dataset, folder, clips); !why.empty()) {
    config.recipe.cache_side = 0;
    maker.not_cached(why);
  }
  const double spent = since(request.begun) + (request.plan && cache.use ? cache.seconds : 0);
  const double floor = config.recipe.floor ? maker.floor_seconds(processors) : 0;
  return maker.finish(spent, floor, processors);
}

std::string config_text(const Config& config, const std::optional<Recipe>& recipe) {
  const std::string toml = to_toml(config);
  if (!recipe) return toml;
  std::string comments = text("#\n# ", recipe->heading, ":\n");
  std::istringstream lines(recipe_lines(*recipe));
  for (std::string line; std::getline(lines, line);) comments += "# " + line + "\n";
  const size_t first_line = toml.find('\n') + 1;
  return toml.substr(0, first_line) + comments + toml.substr(first_line);
}

void print_recipe(const Recipe& recipe) {
  std::fprintf(stderr, "%s:\n%s", recipe.heading.c_str(), recipe_lines(recipe).c_str());
  for (const std::string& note : recipe.notes) std::fprintf(stderr, "note: %s\n", note.c_str());
}

}  // namespace laban::tools
