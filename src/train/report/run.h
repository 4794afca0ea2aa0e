// Reads a run folder: config.toml, metrics.jsonl, evaluation_<split>.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "train/evaluate/statistics.h"
#include "train/log/data_record.h"

namespace laban::report {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

/// A row of metrics.jsonl. Numbers that the file lacks are kMissing.
struct StepRow {
  int64_t epoch = 0, step = 0;
  double loss = kMissing, accuracy = kMissing, lr = kMissing;
  double clips_per_second = kMissing;
  double waiting = kMissing;  // fraction of the time spent waiting for data
  double seconds = kMissing;  // since the run's start
};
struct EpochRow {
  int64_t epoch = 0, step = 0;
  double train_loss = kMissing, train_accuracy = kMissing, val_loss = kMissing, val_accuracy = kMissing;
  double lr = kMissing, seconds = kMissing;
};

struct Prediction {
  std::string file;
  int label = 0, predicted = 0;
  std::vector<double> probabilities;
  std::vector<int64_t> frames;
  bool right() const { return label == predicted; }
  /// The probability of the predicted class.
  double confidence() const;
};
struct ClassResult {
  std::string name;
  int64_t count = 0, correct = 0;
  double accuracy = kMissing;
  std::optional<Interval> ci95;
};

struct Evaluation {
  std::string split;
  int64_t clips = 0;
  std::vector<std::string> classes;
  double accuracy = kMissing, top5 = kMissing, mean_class_accuracy = kMissing, loss = kMissing;
  std::optional<Interval> ci95;
  std::vector<std::vector<int64_t>> confusion;  // rows: the true class
  std::vector<ClassResult> per_class;
  std::vector<Prediction> predictions;
  std::vector<BadFile> bad_files;
  bool single_frame = false;

  double chance() const { return classes.empty() ? kMissing : 1.0 / static_cast<double>(classes.size()); }
  /// The accuracy of always predicting the most common class; above chance() if classes are imbalanced.
  double commonest_share() const;
  int64_t correct() const;
};

struct RunRecord {
  std::filesystem::path folder;
  std::string config;              // the text of config.toml; empty where there is none
  std::vector<StepRow> steps;      // ascending, one per step
  std::vector<EpochRow> epochs;    // ascending, one per epoch
  std::optional<DataRecord> data;  // none: the run is from before there was one
  std::optional<Evaluation> test, validation;
  std::vector<std::string> notes;  // sentences on what is missing or damaged
};

/// Reads a run folder. Anything missing or damaged becomes a sentence in `notes`; only a folder that does not
/// exist is an error. An incomplete last line of metrics.jsonl (the run was killed while writing) is ignored;
/// of a step that was logged twice (a resumed run restarts from its checkpoint), the last entry counts.
RunRecord read_run(const std::filesystem::path& folder);

/// Seconds of training on record, kMissing where none are.
double training_seconds(const RunRecord& run);

/// Reads one evaluation file. Throws FileError where it cannot be read or is not an evaluation.
Evaluation read_evaluation(const std::filesystem::path& file);

}  // namespace laban::report
