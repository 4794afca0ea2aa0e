// Reads a run folder: config.toml, metrics.jsonl, evaluation_<split>.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "train/evaluate/evaluation_json.h"
#include "train/floor/floor.h"
#include "train/log/data_record.h"
#include "train/recipe/recipe.h"

namespace laban::report {

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
  double val_macro_f1 = kMissing, val_balanced_accuracy = kMissing;
  bool best = false;  // better than all before
};

struct RunRecord {
  std::filesystem::path folder;
  std::string config;              // the text of config.toml; empty where there is none
  std::vector<StepRow> steps;      // ascending, one per step
  std::vector<EpochRow> epochs;    // ascending, one per epoch
  std::optional<DataRecord> data;  // none: the run is from before there was one
  std::optional<Evaluation> test, val;
  std::optional<Floor> floor;      // what needs no network
  std::optional<Recipe> recipe;    // what laban chose, and why
  std::vector<std::string> notes;  // sentences on what is missing or damaged
};

/// Reads a run folder. Anything missing or damaged becomes a sentence in `notes`; only a folder that does not
/// exist is an error. An incomplete last line of metrics.jsonl (the run was killed while writing) is ignored;
/// of a step that was logged twice (a resumed run restarts from its checkpoint), the last entry counts.
RunRecord read_run(const std::filesystem::path& folder);

/// Seconds of training on record, kMissing where none are.
double training_seconds(const RunRecord& run);

}  // namespace laban::report
