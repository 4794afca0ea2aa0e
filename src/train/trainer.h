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

struct Evaluation;

/// Is notified of a run's progress. The library itself prints nothing.
class TrainingObserver {
 public:
  virtual ~TrainingObserver() = default;
  /// Before the first step: the number of steps done (by a resumed run) and the total.
  virtual void on_start(int64_t /*steps_done*/, int64_t /*steps_total*/) {}
  virtual void on_step(const StepReport&) {}
  /// Before on_start, if bad files are to be left out: how many of a split's files have been checked. From
  /// any thread, one call at a time.
  virtual void on_check(const std::string& /*split*/, int64_t /*files_done*/, int64_t /*files_total*/) {}
  virtual void on_val(int64_t /*clips_done*/, int64_t /*clips_total*/) {}
  virtual void on_epoch(const EpochReport&) {}
  /// Information for the user: no validation clips, a file left out, ...
  virtual void on_note(const std::string& /*sentence*/) {}
};

/// The loss or a gradient became NaN or infinite. The weights are those from before the step.
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

/// What the classes weigh in the training loss, by train.loss_weights; empty: all the same. Throws UsageError, see
/// train/loss_weights.h.
std::vector<double> class_weights(const Config& config, const Dataset& dataset);

/// Writes what train.best_by = auto stands for on the validation clips of `dataset`, so that the saved config says it.
/// Without any, nothing changes.
void choose_best_by(Config& config, const Dataset& dataset);

/// True if train.patience epochs have passed since the best one (train.best_by), and there would be more to come.
bool out_of_patience(const Config& config, const TrainingState& state);

class Trainer {
 public:
  /// Prepares a new run, with weights initialized from the config's seed. `config` must be resolve()d and
  /// `dataset` opened; `folder` must exist. Throws UsageError if the dataset is too small for the batch or a
  /// clip too small for the model.
  Trainer(Backend& backend, Config config, const Dataset& dataset, RunFolder folder,
          TrainingObserver& observer, const std::atomic<bool>& stop);

  /// Continues from a checkpoint instead. Throws Error if it was made with a different dataset.
  void resume(const Checkpoint& checkpoint);

  /// Trains until the last epoch or until the stop flag is set, which ends the run after the current step.
  /// Throws TrainingDiverged, and FileError for a clip that fails if the policy is to stop.
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
  void tell_of_backend();
  void require_finite(const Evaluation& evaluation);
  void record_data() const;
  void require_position(const Checkpoint& checkpoint) const;
  void require_same_clips(const Checkpoint& checkpoint);
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

  StagingMemory staging_;  // the memory of batches; outlives all of them
  Network network_;
  Optimizer optimizer_;
  std::unique_ptr<WeightAverage> average_;  // null if not configured
  std::optional<Features> features_;        // instead of clips, if configured
  std::vector<ClipFingerprint> clips_;      // of all of the dataset's; empty on features
  std::unique_ptr<BatchSource> loader_;
  std::unique_ptr<BatchSource> val_;  // null if there are no validation clips
  ClipBuffer buffer_;
  ClipMixer mixer_;
  std::vector<double> class_weights_;  // in the loss; empty: all 1
  std::string fingerprint_;
  int64_t batches_per_epoch_, steps_per_epoch_;
  Schedule schedule_;
  TrainingState state_;
  std::vector<std::string> notes_;         // for the user, once the run has begun
  std::shared_ptr<const Batch> upcoming_;  // decoded ahead, in buffer_
  std::vector<double> losses_, logits_;    // of the batch just run
  std::unique_ptr<MetricsLog> metrics_;
  int64_t steps_here_ = 0;  // of this run(), as far as tell_of_backend() counts
  std::string backend_note_;
};

}  // namespace laban
