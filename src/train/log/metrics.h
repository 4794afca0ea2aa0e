// metrics.jsonl: one JSON object a line, a line a step and a line an epoch, for people and for `laban
// report`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "core/descriptor.h"

namespace laban {

/// What one update of the weights looked like. Epochs and steps count from 1, as people do.
struct StepReport {
  int64_t epoch = 0, step = 0;
  int64_t step_of_epoch = 0, steps_per_epoch = 0;
  double loss = 0, accuracy = 0;  // of the step's own clips, before the update
  double lr = 0;
  double gradient_norm = 0;  // before clipping
  double clips_per_second = 0;
  double waiting = 0;  // share of the step's time spent waiting for data, 0 to 1
  double seconds = 0;  // since the run began, without the time between an interruption and --resume
};

struct EpochReport {
  int64_t epoch = 0, epochs = 0, step = 0;
  double train_loss = 0, train_accuracy = 0;
  std::optional<double> val_loss = {},
                        val_accuracy = {};  // nothing where the dataset has no validation clips
  double lr = 0, seconds = 0;
  bool best = false;  // the best on the validation clips so far
};

/// Appends rows; each is handed to the system whole and at once, so that a killed run loses none.
class MetricsLog {
 public:
  /// Continues `path` after its first `keep` bytes; what follows them is cut off.
  MetricsLog(std::filesystem::path path, uint64_t keep);
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;

  void add(const StepReport& row);
  void add(const EpochReport& row);
  /// Flushes to the disk and returns the file's length: what a checkpoint must remember.
  uint64_t flush();

 private:
  void append(const std::string& line);

  std::filesystem::path path_;
  Descriptor file_;
  uint64_t bytes_ = 0;
};

}  // namespace laban
