// What needs no network: results that a network must exceed to have been worth training.
//
//   majority     always the training clips' most common class
//   appearance   logistic regression on the mean frame, 12x16 pixels in color: what the scene looks like
//   motion       logistic regression on a motion map: the mean absolute difference of successive frames, 12x16, gray
//
// all from 16 frames spread evenly over each clip, trained on the training clips and measured on val and test.
// docs/recipe.md#the-floor has the details.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset/dataset.h"
#include "train/best.h"
#include "train/config/config.h"
#include "train/evaluate/evaluation.h"

namespace laban {

/// One classifier on one split.
struct FloorScore {
  std::string split;  // "val", "test"
  int64_t clips = 0;
  double accuracy = kMissing, balanced_accuracy = kMissing, macro_f1 = kMissing;
  std::optional<Interval> ci95 = {};  // of the accuracy
};
struct FloorMethod {
  std::string name;  // "majority", "appearance", "motion"
  std::vector<FloorScore> scores;
};

struct Floor {
  std::string dataset;  // its fingerprint
  int64_t train_clips = 0;
  double seconds = 0;
  std::vector<FloorMethod> methods;
  std::vector<std::string> notes;  // what was left out

  /// The best of the methods on a split, by accuracy or macro-F1; by loss there is none, and accuracy counts.
  /// Nothing if the split was not measured.
  struct Best {
    const FloorMethod* method = nullptr;
    const FloorScore* score = nullptr;
  };
  std::optional<Best> best(const std::string& split, BestBy by) const;
};

/// At most so many clips are looked at: evenly chosen ones of larger splits.
constexpr int64_t kMostFloorTrainClips = 2000, kMostFloorOtherClips = 1000;

/// Told how many clips have been read; returns false to stop.
using FloorProgress = std::function<bool(int64_t done, int64_t of)>;

/// Reads 16 frames of every clip, with the config's workers and index cache, and measures. Clips that cannot be read
/// are left out, and counted in `notes`. Nothing where `progress` or `stop` said stop. Throws Error if there are no
/// training clips that can be read.
std::optional<Floor> measure_floor(const Dataset& dataset, const Config& config,
                                   const FloorProgress& progress = {},
                                   const std::atomic<bool>* stop = nullptr);

std::string to_json(const Floor& floor);
/// Throws FileError for a file that is no floor.
Floor read_floor(const std::filesystem::path& file);
/// The floor of a run (floor.json in its folder); nothing where there is none, or none that can be read.
std::optional<Floor> floor_of(const std::filesystem::path& run);

/// What a network and its floor are compared by, from the clips of every class of the split: macro-F1 if classes are
/// uneven (kUneven), else accuracy.
BestBy floor_criterion(std::span<const int64_t> clips_by_class);

/// "motion maps", "the mean frame", "the most common class": for sentences.
std::string floor_words(const std::string& method);

/// What to tell somebody whose network is not better than the floor on `split`, judged by `by`; empty if it is, or if
/// nothing is known. `reached`: the network's accuracy or macro-F1.
std::string below_floor(const Floor& floor, const std::string& split, BestBy by, double reached);

}  // namespace laban
