// What a recipe needs to know of a dataset: what its index says, and what a sample of its files shows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset/dataset.h"
#include "data/load/loader.h"

namespace laban {

struct DataFacts {
  // From the index.
  int64_t classes = 0, train_clips = 0, val_clips = 0, test_clips = 0, sources = 0;
  int64_t largest_class = 0, smallest_class = 0;  // training clips; of the classes that have any
  bool splits_drawn = false;
  /// A class whose name speaks of left, right or a turning direction: mirrored clips would be of another class.
  std::string sided_class{};

  // From a sample of the training clips.
  int64_t looked_at = 0, unreadable = 0;
  int width = 0, height = 0;  // as shown: those of the clip of median area
  double aspect = 0;          // width / height, the median
  int64_t median_frames = 0;
  double fps = 0;             // median; 0: pictures without a rate
  double median_seconds = 0;  // 0 without a rate
  double short_seconds = 0;   // a tenth of the clips are shorter
  double mean_frames = 0;
  bool videos = true;  // the files must be decoded (no cache, no folders of pictures)
  /// Seconds of one thread: indexing a file (decoding it once), and reading 16 frames spread over it.
  double index_seconds = 0, read_seconds = 0;

  double imbalance() const {
    return smallest_class > 0 ? static_cast<double>(largest_class) / static_cast<double>(smallest_class) : 1;
  }
  int64_t all_clips() const { return train_clips + val_clips + test_clips; }
};

/// Looks at up to 48 training clips, evenly chosen, for at most about `seconds` (at least three of them). Files that
/// cannot be read are counted. `settings` says where indices are kept. Throws Canceled if settings.stop says so.
DataFacts look_at(const Dataset& dataset, const LoaderSettings& settings, double seconds);

}  // namespace laban
