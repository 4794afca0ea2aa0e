// Checkpoints: everything that a run needs to continue as if it had never stopped, in one safetensors file.
//
// Tensors: parameters, running statistics and num_batches_tracked under torchvision's names in PyTorch's
// layout, and the optimizer's state as "optimizer.<kind of state>.<parameter>". f32 (f64 in an f64 run), so
// nothing is rounded; counts are I64. In a run that averages its weights (train.ema), the model's names hold
// the averages, which are meant for use, and "training.<name>" holds the weights and statistics with which
// training continues. Metadata, all text:
//   format   "laban.checkpoint.1"       version  laban's
//   config   the run's TOML             model    its name           classes  a JSON list
//   state    JSON: the state of the run (TrainingState), the seed, the sampler's position
//   dataset  fingerprint of the list of clips, labels and splits
//   clips    fingerprints of the clips' files (data/load/clip_fingerprint.h), in the dataset's order
//   sha256   checksum of everything (core/safetensors.h)
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/safetensors.h"
#include "data/dataset/dataset.h"
#include "data/load/loader.h"
#include "layers/parameter.h"
#include "train/config/config.h"
#include "train/optimizer.h"
#include "train/weight_average.h"

namespace laban {

/// The state of a run. Together with the weights, the optimizer's state and the config, it determines
/// everything that follows.
struct TrainingState {
  int64_t epoch = 0;        // finished epochs
  int64_t batch = 0;        // batches of the current epoch that have been used: the sampler's position
  int64_t step = 0;         // weight updates so far
  int64_t batches_run = 0;  // in all epochs; determines the dropout masks

  // Running totals of the current epoch.
  double loss_sum = 0;
  int64_t clips = 0, correct = 0;

  double seconds = 0;  // of training so far, including before interruptions
  // What the best epoch so far reached on the validation clips; before there is one, best_epoch is 0.
  double best_accuracy = -1, best_loss = 0, best_macro_f1 = -1;
  int64_t best_epoch = 0;
  uint64_t metrics_bytes =
      0;  // length of metrics.jsonl when this was saved; what follows is from a later, lost time

  bool operator==(const TrainingState&) const = default;
};

struct CheckpointInfo {
  std::string version;
  Config config;  // of one that was read: without files to write to (forget_files_to_write)
  std::vector<std::string> classes;
  TrainingState state;
  std::string dataset;                 // fingerprint
  std::vector<ClipFingerprint> clips;  // of the files of all clips; empty in a run on features
};

/// The number of a dataset's clips, and a digest of their names, labels and splits and of the files that were
/// left out: "135 clips, 3f2a...". Training on a different list would not be a continuation of the run.
std::string fingerprint(const Dataset& dataset, const std::vector<BadFile>& left_out);

/// Replaces `path` atomically. `info.version` is filled in. `average`: null in a run without one.
void save_checkpoint(const std::filesystem::path& path, const ParameterStore& store,
                     const Optimizer& optimizer, const WeightAverage* average, const CheckpointInfo& info);

/// An open checkpoint whose checksum and metadata have been verified. All functions throw FileError saying
/// what is wrong.
class Checkpoint {
 public:
  explicit Checkpoint(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return file_.path(); }
  const CheckpointInfo& info() const { return info_; }
  /// Loads the weights and statistics meant for use: the averages, if the run makes any. The store must be
  /// for the same model and number of classes.
  void load_weights(ParameterStore& store) const;
  /// The optimizer's state as well.
  void load_optimizer(ParameterStore& store, Optimizer& optimizer) const;
  /// The weights and statistics with which a run that makes averages continues.
  void load_training_weights(ParameterStore& store) const;

 private:
  void load(ParameterStore& store, const std::string& prefix) const;

  SafetensorsFile file_;
  CheckpointInfo info_;
};

}  // namespace laban
