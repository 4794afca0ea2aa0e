// Checks a dataset: decodes every file and compares all contents.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/check/examine.h"
#include "data/clip/sampler.h"
#include "data/dataset/dataset.h"
#include "data/scene/scenes.h"

namespace laban {

struct Finding {
  FindingKind kind;
  int item = 0;          // position in Dataset::items
  int other = -1;        // the item that it was compared with; -1: none
  std::string detail{};  // a sentence
};

struct CheckSettings {
  SamplerSettings sampler{};  // what a clip needs
  int workers = 1;            // files examined in parallel
  /// Called after every file, one call at a time, from any thread; may be empty.
  std::function<void(int64_t done, int64_t of)> progress{};
  const std::atomic<bool>* stop = nullptr;  // when true, no further file is examined
  /// Of all items, if they are known; else they are made, which is told to `sketch_progress`.
  std::vector<ClipSketch> sketches{};
  std::function<void(int64_t done, int64_t of)> sketch_progress{};
};

struct CheckResult {
  std::vector<Finding> findings{};  // by kind, then by item
  int64_t files = 0;                // examined; a folder of pictures counts as one
  int64_t frames = 0;               // of all clips
  double seconds = 0;               // of all videos
  bool complete = true;             // false: stopped before the end, and nothing was compared
  /// By split: clips that show a scene that training clips show, too.
  std::array<int64_t, kSplitNames.size()> seen_in_training{};

  int64_t count(FindingKind kind) const;
  int64_t problems() const;
};

/// A file with several items is decoded once. Whether the file contains an item's range is checked too.
CheckResult check_dataset(const Dataset& dataset, const CheckSettings& settings);

/// Compares contents: items with the same content (and overlapping ranges) are duplicates, leaks or
/// conflicts; a source with clips in several splits is reported once. `reports` has one entry per item.
std::vector<Finding> compare_contents(const Dataset& dataset, const std::vector<FileReport>& reports);

/// Compares looks: copies that are not the same content, and scenes with clips in several splits, each reported once.
std::vector<Finding> compare_looks(const Dataset& dataset, const std::vector<FileReport>& reports,
                                   const AlikeClips& alike);

}  // namespace laban
