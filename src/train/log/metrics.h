// metrics.jsonl: one JSON object per line, for each step and each epoch, for people and for `laban report`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "core/descriptor.h"
#include "train/evaluate/evaluation.h"

namespace laban {

/// The metrics of one weight update. Epochs and steps count from 1.
struct StepReport {
  int64_t epoch = 0, step = 0;
  int64_t step_of_epoch = 0, steps_per_epoch = 0;
  double loss = 0, accuracy = 0;  // of the step's own clips, before the update
  double lr = 0;
  double gradient_norm = 0;  // before clipping
  double clips_per_second = 0;
  double waiting = 0;  // fraction of the step's time spent waiting for data
  double seconds = 0;  // since the run began, excluding the time between an interruption and --resume
};

struct EpochReport {
  int64_t epoch = 0, epochs = 0, step = 0;
  double train_loss = 0, train_accuracy = 0;
  /// Empty if the dataset has no validation clips; balanced accuracy is the mean recall of the classes.
  std::optional<double> val_loss = {}, val_accuracy = {}, val_macro_f1 = {}, val_balanced_accuracy = {};
  std::vector<ClassResult> val_classes = {};
  double lr = 0, seconds = 0;
  bool best = false;  // the best validation result so far
};

/// Appends rows; each is written immediately and in one piece, so that a killed run loses none.
class MetricsLog {
 public:
  /// Continues `path` after its first `keep` bytes; the rest is truncated.
  MetricsLog(std::filesystem::path path, uint64_t keep);
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;

  void add(const StepReport& row);
  void add(const EpochReport& row);
  /// Flushes to disk and returns the file's length, which a checkpoint must store.
  uint64_t flush();

 private:
  void append(const std::string& line);

  std::filesystem::path path_;
  Descriptor file_;
  uint64_t bytes_ = 0;
};

}  // namespace laban
