// Measuring a network on labeled clips, and classifying clips without labels.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/load/loader.h"
#include "models/network.h"
#include "train/evaluate/statistics.h"

namespace laban {

/// A number that nobody knows.
constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

/// How a video is looked at: `clips` clips, spread evenly over it, and of each `crops` crops: 1, the center,
/// or 3, center and both ends of the longer side.
struct Views {
  int clips = 1, crops = 1;
  int count() const { return clips * crops; }
};

struct Prediction {
  int item = 0;                       // position in Dataset::items; -1: read from a file
  int label = 0;                      // of the item
  int predicted = 0;                  // the most probable class
  double loss = 0;                    // -log of the label's probability, mean over views
  std::vector<double> probabilities;  // mean over views
  std::vector<int64_t> frames;        // that the first view showed
  // Each view by itself: how many of them put the label first, and among the first five.
  int views_right = 0, views_in_top5 = 0;
  std::string file = {};  // the item's name, once summarized

  bool right() const { return label == predicted; }
  /// The probability of the predicted class; kMissing where there are no probabilities.
  double confidence() const;
};

/// Told after every batch; returns false to stop.
using ClassifyProgress = std::function<bool(int64_t clips_done, int64_t clips_total)>;

struct Classified {
  std::vector<Prediction> predictions;  // in the order of the items; files that were left out are missing
  std::vector<BadFile> bad_files;
};

/// Runs all clips of a loader (without shuffling) through the network, one epoch of it. Nothing where
/// `progress` or the loader's stop flag said stop. Throws FileError for a file that fails.
std::optional<Classified> classify(Network& network, BatchSource& loader, const ClassifyProgress& progress,
                                   int64_t epoch = 0);

/// The same for `items` of a dataset, with several views of each, whose probabilities are averaged.
/// UsageError for numbers of clips and crops that there cannot be. With settings of SampleMode::val or
/// test nothing is left to chance. Nothing where `progress` or `settings.stop` said stop.
std::optional<Classified> classify(Network& network, const Dataset& dataset, const std::vector<int>& items,
                                   LoaderSettings settings, const Views& views,
                                   const ClassifyProgress& progress);

/// Makes the labels of a dataset count in `classes`, a network's own list. Throws Error where the dataset has
/// a class that the network does not know.
void relabel(Dataset& dataset, const std::vector<std::string>& classes);

/// One class on a split. A fraction of nothing is kMissing, without an interval: a class without clips is not a
/// class of which every clip was wrong.
struct ClassResult {
  std::string name;
  int64_t count = 0, correct = 0;
  double accuracy = kMissing;         // of its clips, how many were recognized: recall
  std::optional<Interval> ci95 = {};  // of the recall
  int64_t predicted = 0;              // clips of any class that were put into this one
  double precision = kMissing;        // of these, how many belong there
  std::optional<Interval> precision_ci95 = {};
  /// 2 correct / (count + predicted), the harmonic mean of precision and recall; kMissing without clips.
  double f1 = kMissing;
};

/// A network's results on a split. Numbers that a file lacks are kMissing (train/evaluate/evaluation_json.h).
struct Evaluation {
  std::string split;
  std::vector<std::string> classes;
  bool single_frame = false;
  std::map<std::string, std::string> clip_settings;  // what a clip was, by flag; empty: nobody noted it
  Views views = {};
  std::vector<Prediction> predictions;
  std::vector<BadFile> bad_files;
  int64_t epoch = 0;  // of the run, after which the weights were taken; 0: unknown

  int64_t clips = 0, correct = 0;
  double accuracy = kMissing;
  std::optional<Interval> ci95;  // of the accuracy
  double loss = kMissing, top5_accuracy = kMissing;
  /// Over the classes that have clips: the mean recall (also called balanced accuracy), and the mean F1.
  double mean_class_accuracy = kMissing, macro_f1 = kMissing;
  std::vector<std::vector<int64_t>> confusion;  // [true class][predicted class]
  std::vector<ClassResult> per_class;
  // Of single views. They are no independent observations, so there is no interval for these.
  double view_accuracy = kMissing, view_top5_accuracy = kMissing;

  double chance() const { return classes.empty() ? kMissing : 1.0 / static_cast<double>(classes.size()); }
  /// What always naming the most common class would reach; above chance() where classes are uneven.
  double majority_accuracy() const;
};

/// Counts what was right. `classes` are the network's, and labels count in them.
Evaluation summarize(const Classified& classified, const Dataset& dataset, std::vector<std::string> classes,
                     const Views& views = {});

/// Positions of the k largest values, largest first; equal ones in order of position.
std::vector<int> top(std::span<const double> values, int k);

}  // namespace laban
