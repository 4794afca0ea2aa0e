// The training loop.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/load/loader.h"
#include "models/network.h"
#include "train/checkpoint.h"
#include "train/clip_buffer.h"
#include "train/clip_mixer.h"
#include "train/config/config.h"
#include "train/features/features.h"
#include "train/log/metrics.h"
#include "train/run_folder.h"
#include "train/staging_memory.h"
#include "train/weight_average.h"

namespace laban {

/// Hears how a run goes. The library itself prints nothing.
class TrainingObserver {
 public:
  virtual ~TrainingObserver() = default;
  /// Before the first step: how many are behind (of a resumed run) and how many there will be in all.
  virtual void on_start(int64_t /*steps_done*/, int64_t /*steps_total*/) {}
  virtual void on_step(const StepReport&) {}
  /// Before on_start, where bad files are to be left out: how many of a split's files have been looked
  /// through. From any thread, one call at a time.
  virtual void on_check(const std::string& /*split*/, int64_t /*files_done*/, int64_t /*files_total*/) {}
  virtual void on_validation(int64_t /*clips_done*/, int64_t /*clips_total*/) {}
  virtual void on_epoch(const EpochReport&) {}
  /// Something the user should know: no validation clips, a file left out, ...
  virtual void on_note(const std::string& /*sentence*/) {}
};

/// The loss or a gradient became NaN or infinite. The weights are those before the step.
class TrainingDiverged : public Error {
 public:
  TrainingDiverged(int64_t step, std::string place, std::vector<std::string> files, const std::string& what);
  int64_t step() const { return step_; }               // from 1
  const std::string& place() const { return place_; }  // "the output of layer2.0 (3 of 512 values)"
  const std::vector<std::string>& files() const { return files_; }  // the clips of the batch

 private:
  int64_t step_;
  std::string place_;
  std::vector<std::string> files_;
};

struct TrainingResult {
  bool interrupted = false;  // stopped by the flag; everything is saved
  TrainingState state;
  bool ended_early = false;  // out of patience
};

/// True where train.patience epochs have gone by since the best one, and there would be more to come. An
/// epoch is better than another where its validation accuracy is higher, or equal with a smaller loss.
bool out_of_patience(const Config& config, const TrainingState& state);

class Trainer {
 public:
  /// Prepares a new run, its first weights drawn from the config's seed. `config` must be resolve()d and
  /// `dataset` opened; `folder` must exist. Throws UsageError where the dataset is too small for the batch or
  /// a clip too small for the model.
  Trainer(Backend& backend, Config config, const Dataset& dataset, RunFolder folder,
          TrainingObserver& observer, const std::atomic<bool>& stop);

  /// Goes on from a checkpoint instead. Throws Error where the dataset is not the one that it was made with.
  void resume(const Checkpoint& checkpoint);

  /// Trains until the last epoch or until the stop flag is set, which ends the run after the current step.
  /// Throws TrainingDiverged, and FileError for a clip that fails where the config says stop.
  TrainingResult run();

  Network& network() { return network_; }
  const TrainingState& state() const { return state_; }
  int64_t steps_per_epoch() const { return steps_per_epoch_; }

 private:
  StepReport train_step();
  std::shared_ptr<const Batch> next_batch();
  void fetch_upcoming();
  Tensor enqueue(const Batch& batch, int64_t batches_of_step);
  void look_at_results(const Batch& batch, const Tensor& pixels, double& loss_sum, int64_t& correct);
  bool finish_epoch();
  void record_data() const;
  void save(const std::filesystem::path& path);
  std::string non_finite_gradient();
  [[noreturn]] void diverged(const std::string& what, const std::string& place,
                             const std::vector<int>& items);
  double lr() const { return schedule_.learning_rate(state_.step); }

  Backend& backend_;
  Config config_;
  const Dataset& dataset_;
  RunFolder folder_;
  TrainingObserver& observer_;
  const std::atomic<bool>& stop_;

  StagingMemory staging_;  // what batches are made in; goes after all of them
  Network network_;
  Optimizer optimizer_;
  std::unique_ptr<WeightAverage> average_;  // none where the config wants none
  std::optional<Features> features_;        // in place of clips, where the config says so
  std::unique_ptr<BatchSource> loader_;
  std::unique_ptr<BatchSource> validation_;  // none where there are no validation clips
  ClipBuffer buffer_;
  ClipMixer mixer_;
  std::string fingerprint_;
  int64_t batches_per_epoch_, steps_per_epoch_;
  Schedule schedule_;
  TrainingState state_;
  std::shared_ptr<const Batch> upcoming_;  // decoded ahead, in buffer_
  std::vector<double> losses_, logits_;    // of the batch just run
  std::unique_ptr<MetricsLog> metrics_;
};

}  // namespace laban
