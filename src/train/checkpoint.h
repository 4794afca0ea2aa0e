// Checkpoints: everything that a run needs to go on as if it had never stopped, in one safetensors file.
//
// Tensors: parameters, running statistics and num_batches_tracked by torchvision's names in PyTorch's layout,
// and the optimizer's state as "optimizer.<kind of state>.<parameter>". f32 (f64 in an f64 run), so nothing
// is rounded; counts are I64. In a run that averages its weights (train.ema), the names of the model hold the
// averages, which are what to use, and "training.<name>" the weights and statistics with which training goes
// on. Metadata, all text:
//   format   "laban.checkpoint.1"       version  laban's
//   config   the run's TOML             model    its name           classes  a JSON list
//   state    JSON: where the run stands (TrainingState), the seed, the sampler's position
//   dataset  fingerprint of the list of clips, labels and splits
//   sha256   checksum over everything (core/safetensors.h)
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

/// Where a run stands. Together with the weights, the optimizer's state and the config it determines
/// everything that follows.
struct TrainingState {
  int64_t epoch = 0;        // finished epochs
  int64_t batch = 0;        // batches of the current epoch that have been used: the sampler's position
  int64_t step = 0;         // updates of the weights so far
  int64_t batches_run = 0;  // in all epochs; chooses dropout's masks

  // Sums over the current epoch so far.
  double loss_sum = 0;
  int64_t clips = 0, correct = 0;

  double seconds = 0;                        // of training so far, before interruptions too
  double best_accuracy = -1, best_loss = 0;  // on the validation clips; -1: not measured yet
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
  std::string dataset;  // fingerprint
};

/// A digest of names, labels and splits of a dataset's clips and of the files that were left out, after the
/// number of clips: "135 clips, 3f2a...". Training on another list would not continue a run but begin
/// another.
std::string fingerprint(const Dataset& dataset, const std::vector<BadFile>& left_out);

/// Replaces `path` in one step. `info.version` is filled in. `average`: null in a run without one.
void save_checkpoint(const std::filesystem::path& path, const ParameterStore& store,
                     const Optimizer& optimizer, const WeightAverage* average, const CheckpointInfo& info);

/// An opened checkpoint: its checksum and metadata have been verified. Everything throws FileError, saying
/// what is wrong.
class Checkpoint {
 public:
  explicit Checkpoint(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return file_.path(); }
  const CheckpointInfo& info() const { return info_; }
  /// Weights and statistics to use: the averages, where the run makes some. The store must be of the same
  /// model and number of classes.
  void load_weights(ParameterStore& store) const;
  /// The optimizer's state as well.
  void load_optimizer(ParameterStore& store, Optimizer& optimizer) const;
  /// The weights and statistics with which a run that makes averages goes on.
  void load_training_weights(ParameterStore& store) const;

 private:
  void load(ParameterStore& store, const std::string& prefix) const;

  SafetensorsFile file_;
  CheckpointInfo info_;
};

}  // namespace laban
