#include "cli/open_data.h"

#include <algorithm>
#include <optional>

#include "cli/interrupt.h"
#include "cli/progress.h"
#include "core/error.h"
#include "core/processors.h"
#include "data/scene/scenes.h"
#include "data/scene/sketch_store.h"

namespace laban::tools {

std::filesystem::path sketch_store_of(const Config& config, const Dataset& dataset) {
  return sketch_store_file(index_store_of(dataset, loader_settings(config, SampleMode::test)));
}

Dataset open_data(const Config& config, const std::filesystem::path& path, const OpenHow& how) {
  DatasetSettings settings = dataset_settings(config);
  settings.keep_missing = settings.keep_missing || how.keep_missing;
  settings.use_index = how.use_index;
  Dataset dataset = open_dataset(path, settings);
  if (dataset.drawn == DrawnSplits::none || settings.split.by != SplitBy::content) return dataset;
  install_interrupt_handler();
  std::optional<Progress> progress;
  std::vector<ClipSketch> sketches = sketch_clips(
      dataset, {.workers = config.data.workers > 0 ? config.data.workers : available_processors(),
                .store = sketch_store_of(config, dataset),
                .write_store = how.write_sketches,
                .progress =
                    [&](int64_t done, int64_t of) {
                      if (!progress) progress.emplace("looking for clips that look alike", of);
                      progress->update(done);
                    },
                .stop = &interrupt_flag()});
  if (progress) progress->finish();
  keep_alike_together(dataset, find_alike(sketches, available_processors()), settings.split);
  if (how.sketches) *how.sketches = std::move(sketches);
  return dataset;
}

}  // namespace laban::tools
