#include "train/trainer.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "core/backend.h"
#include "core/files.h"
#include "core/text.h"
#include "data/video/watch.h"
#include "train/config/words.h"
#include "train/evaluate/evaluation.h"
#include "train/features/feature_source.h"
#include "train/log/data_record.h"
#include "train/loss_weights.h"

namespace laban {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The training clips, if there are enough.
std::vector<int> training_items(const Config& config, const Dataset& dataset) {
  std::vector<int> items = dataset.of(Split::train);
  if (items.empty())
    throw UsageError(text(dataset.root.string(), " has no training clips"),
                     "Add some to its split.csv (or its folder `train`).");
  if (static_cast<int64_t>(items.size()) < config.train.batch)
    throw UsageError(text("a batch has ", config.train.batch, " clips, but ", dataset.root.string(),
                          " has only ", items.size(), " training clips"),
                     text("Use --batch ", items.size(), " or less."));
  return items;
}

std::optional<Features> open_features(const Config& config) {
  const std::string& path = config.finetune.features;
  if (path.empty()) return std::nullopt;
  Features features = read_features(path);
  if (features.config.clip != config.clip)
    throw UsageError(
        text("the features in ", path, " were made with different [clip] settings than this run's"),
        "Run `laban features` with the same settings, or omit them here.");
  return features;
}

std::unique_ptr<BatchSource> make_source(const std::optional<Features>& features, const Dataset& dataset,
                                         std::vector<int> items, const LoaderSettings& settings) {
  if (!features) return std::make_unique<Loader>(dataset, std::move(items), settings);
  return std::make_unique<FeatureSource>(
      *features, dataset, items,
      FeatureSource::Settings{
          settings.batch, {settings.seed, settings.shuffle, settings.balance}, settings.drop_last});
}

/// Of the clips that the run uses; the others' stay empty.
std::vector<ClipFingerprint> fingerprints_of(const Config& config, const Dataset& dataset,
                                             const std::atomic<bool>& stop) {
  std::vector<int> items = dataset.of(Split::train);
  const std::vector<int> val = dataset.of(Split::val);
  items.insert(items.end(), val.begin(), val.end());
  const std::vector<ClipFingerprint> found = fingerprint_clips(dataset, items, config.data.workers, &stop);
  std::vector<ClipFingerprint> all(dataset.items.size());
  for (size_t i = 0; i < items.size(); ++i) all[static_cast<size_t>(items[i])] = found[i];
  return all;
}

/// The parameters, after freezing.
ParameterStore& frozen_as_configured(Network& network, const Config& config) {
  network.freeze(freeze_settings(config));
  return network.store();
}

ModelSpec fitting_model(const Config& config, const Dataset& dataset) {
  return model_spec(config, static_cast<int64_t>(dataset.classes.size()));
}

/// The config's settings, plus progress reports on checking the files.
LoaderSettings watched(const Config& config, Split split, StagingMemory& staging, TrainingObserver& observer,
                       const std::atomic<bool>& stop, const std::vector<ClipFingerprint>& clips) {
  const bool training = split == Split::train;
  LoaderSettings settings = loader_settings(config, training ? SampleMode::train : SampleMode::val);
  staging.serve(settings);
  settings.fingerprints = clips;
  // A step that has begun is finished, so its further batches are waited for.
  if (!training || config.train.accumulation == 1) settings.stop = &stop;
  settings.on_check = [&observer, name = kSplitNames[static_cast<size_t>(split)]](int64_t done, int64_t of) {
    observer.on_check(name, done, of);
  };
  return settings;
}

std::vector<int64_t> clips_by_class(const Dataset& dataset, Split split) {
  std::vector<int64_t> clips(dataset.classes.size(), 0);
  for (const int item : dataset.of(split))
    ++clips[static_cast<size_t>(dataset.items[static_cast<size_t>(item)].label)];
  return clips;
}

}  // namespace

TrainingDiverged::TrainingDiverged(int64_t step, std::string place, std::vector<std::string> files,
                                   const std::string& what)
    : Error(text(what, " in step ", step, "; first in ", place, "; clips of the batch: ", join(files)),
            "A smaller --lr, a longer --warmup-epochs or --clip-norm 1 usually helps. The run's "
            "last.safetensors has the weights from before."),
      step_(step),
      place_(std::move(place)),
      files_(std::move(files)) {}

Trainer::Trainer(Backend& backend, Config config, const Dataset& dataset, RunFolder folder,
                 TrainingObserver& observer, const std::atomic<bool>& stop)
    : backend_(backend),
      config_(std::move(config)),
      dataset_(dataset),
      folder_(std::move(folder)),
      observer_(observer),
      stop_(stop),
      staging_(backend),
      network_(backend, compute_type(config_), fitting_model(config_, dataset)),
      optimizer_(frozen_as_configured(network_, config_), config_.optimizer),
      features_(open_features(config_)),
      clips_(features_ ? std::vector<ClipFingerprint>{} : fingerprints_of(config_, dataset, stop)),
      loader_(make_source(features_, dataset, training_items(config_, dataset),
                          watched(config_, Split::train, staging_, observer, stop, clips_))),
      buffer_(backend, compute_type(config_)),
      mixer_(backend, config_.train.mix),
      fingerprint_(fingerprint(dataset, loader_->bad_files())),
      batches_per_epoch_(loader_->batches_per_epoch()),
      steps_per_epoch_((batches_per_epoch_ + config_.train.accumulation - 1) / config_.train.accumulation),
      schedule_(config_.schedule, config_.train.epochs, steps_per_epoch_) {
  const PictureSize size = config_.clip.transform.crop;
  network_.output_shape({config_.train.batch, 3, config_.clip.sampler.frames, size.height, size.width});
  if (batches_per_epoch_ == 0)
    throw UsageError(text("a batch has ", config_.train.batch, " clips, but only ", loader_->clips(),
                          " training clips can be read"),
                     "Use a smaller --batch.");
  std::vector<int> val_items = dataset.of(Split::val);
  if (!val_items.empty())
    val_ = make_source(features_, dataset, std::move(val_items),
                       watched(config_, Split::val, staging_, observer, stop, clips_));
  choose_best_by(config_, dataset);
  class_weights_ = class_weights(config_, dataset);
  if (!class_weights_.empty()) {
    std::vector<std::string> each;
    for (size_t c = 0; c < class_weights_.size(); ++c)
      each.push_back(text(visible(dataset.classes[c]), " ", class_weights_[c]));
    notes_.push_back("weights of the classes in the training loss: " + join(each));
  }
  if (features_) network_.begin_at_features();
  network_.store().initialize(config_.train.seed);
  if (config_.train.patience > 0 && !val_)
    throw UsageError(text("train.patience is ", config_.train.patience, ", but ", dataset.root.string(),
                          " has no validation clips to show whether the network still improves"),
                     "Omit --patience, or give the dataset a validation split.");
  if (config_.train.ema > 0) average_ = std::make_unique<WeightAverage>(network_.store(), config_.train.ema);
}

void Trainer::resume(const Checkpoint& checkpoint) {
  const CheckpointInfo& info = checkpoint.info();
  if (info.classes != dataset_.classes || info.dataset != fingerprint_)
    throw Error(
        text("the clips in ", dataset_.root.string(), " have changed since the run began (",
             info.dataset.substr(0, info.dataset.find(',')), " then, ", dataset_.items.size(), " now)"),
        "Restore the dataset to continue, or start a new run.");
  require_same_clips(checkpoint);
  require_position(checkpoint);
  checkpoint.load_weights(network_.store());
  checkpoint.load_optimizer(network_.store(), optimizer_);
  state_ = info.state;
  if (average_) {
    average_->start();  // the checkpoint has the averages under the weights' names
    checkpoint.load_training_weights(network_.store());
  }
}

/// Throws FileError where the checkpoint's counters contradict each other: the batches of an epoch are those of
/// the dataset, and a run keeps its accumulation.
void Trainer::require_position(const Checkpoint& checkpoint) const {
  const TrainingState& s = checkpoint.info().state;
  const auto fail = [&](const auto&... what) {
    throw FileError(checkpoint.path().string(), text("its state cannot be: ", what...));
  };
  if (s.batch > batches_per_epoch_) fail(s.batch, " batches of the epoch are done, of ", batches_per_epoch_);
  // Exact up to 2^64: the counters may be anything up to 2^53.
  const auto done = [&](int64_t an_epoch, int64_t now) {
    return static_cast<long double>(s.epoch) * static_cast<long double>(an_epoch) +
           static_cast<long double>(now);
  };
  const int64_t accumulation = config_.train.accumulation;
  if (done(batches_per_epoch_, s.batch) != static_cast<long double>(s.batches_run) ||
      done(steps_per_epoch_, (s.batch + accumulation - 1) / accumulation) != static_cast<long double>(s.step))
    fail(s.epoch, " epochs of ", batches_per_epoch_, " batches and ", s.batch, " more, but ", s.batches_run,
         " batches and ", s.step, " steps in all");
}

/// Throws Error where clips have other contents than when the checkpoint was made, and notes where only their
/// times are others.
void Trainer::require_same_clips(const Checkpoint& checkpoint) {
  if (features_) return;  // which know their clips
  const std::vector<ClipFingerprint>& before = checkpoint.info().clips;
  if (before.empty()) {
    notes_.emplace_back(
        "The checkpoint does not say what the clips' files held: if they have been replaced since the run began, "
        "it goes unnoticed.");
    return;
  }
  if (before.size() != clips_.size())
    throw FileError(checkpoint.path().string(), text("has fingerprints of ", before.size(),
                                                     " clips, but the dataset has ", clips_.size()));
  std::vector<std::string> changed, touched;
  for (size_t i = 0; i < clips_.size(); ++i) {
    if (clips_[i].contents != before[i].contents)
      changed.push_back(visible(dataset_.items[i].name));
    else if (clips_[i].times != before[i].times)
      touched.push_back(visible(dataset_.items[i].name));
  }
  const auto listed = [](std::vector<std::string>& names) {
    constexpr size_t kShown = 5;
    const size_t all = names.size();
    names.resize(std::min(all, kShown));
    return join(names) + (all > kShown ? text(" and ", all - kShown, " more") : "");
  };
  if (!changed.empty()) {
    const size_t count = changed.size();
    throw Error(text("the files of ", count, " of the clips in ", dataset_.root.string(),
                     " have changed since the run began, under the same names: ", listed(changed)),
                "Restore them to continue, or start a new run.");
  }
  if (!touched.empty()) {
    const size_t count = touched.size();
    notes_.push_back(
        text(count, count == 1 ? " clip has" : " clips have",
             " another modification time than when the run began, but the same size and, in samples, "
             "the same bytes: ",
             listed(touched)));
  }
}

/// What a backend finds out in the first steps, such as that they cannot be recorded.
void Trainer::tell_of_backend() {
  constexpr int64_t kFirstSteps = 4;
  if (steps_here_ == kFirstSteps) return;
  ++steps_here_;
  std::string note = backend_.note();
  if (note != backend_note_ && !note.empty()) observer_.on_note(note);
  backend_note_ = std::move(note);
}

TrainingResult Trainer::run() {
  if (features_ && backbone_digest(network_.store()) != features_->backbone)
    throw UsageError(
        text(config_.finetune.features, " has features from a different network or different weights"),
        "Start from the weights that were used for `laban features`: --weights.");
  std::error_code missing;
  const std::uintmax_t logged = std::filesystem::file_size(folder_.metrics(), missing);
  metrics_ = std::make_unique<MetricsLog>(folder_.metrics(), state_.metrics_bytes);
  backend_note_ = backend_.note();  // which whoever made the backend has told
  observer_.on_start(state_.step, config_.train.epochs * steps_per_epoch_);
  for (const std::string& note : std::exchange(notes_, {})) observer_.on_note(note);
  if (const std::uintmax_t there = missing ? 0 : logged; there < state_.metrics_bytes)
    observer_.on_note(text(folder_.metrics().string(), missing ? " is gone" : " has been shortened", ": ",
                           state_.metrics_bytes - there, " of ", state_.metrics_bytes,
                           " bytes are missing, and with them rows of steps before ", state_.step + 1,
                           ". The training itself does not depend on them."));
  if (const int64_t left = loader_->clips() - batches_per_epoch_ * config_.train.batch;
      state_.step == 0 && left > 0)
    observer_.on_note(text("an epoch is ", batches_per_epoch_,
                           batches_per_epoch_ == 1 ? " batch of " : " batches of ", config_.train.batch,
                           " clips: ", left, " of the ", loader_->clips(), " training clips ",
                           left == 1 ? "is" : "are", " left out of it, others in every epoch",
                           left * 10 > loader_->clips() ? "; a smaller --batch leaves out fewer" : ""));
  if (!val_) observer_.on_note("There are no validation clips, so only training accuracy is available.");
  record_data();
  for (const BatchSource* loader : {loader_.get(), val_.get()})
    if (loader)
      for (const BadFile& bad : loader->bad_files()) observer_.on_note("left out: " + bad.reason);
  if (state_.step == 0) {
    if (average_) average_->start();
    save(folder_.last());  // so that the run can be resumed even in the first epoch
  }
  if (state_.batch < batches_per_epoch_)
    loader_->start(state_.epoch, state_.batch, /*one_epoch=*/false);
  else  // interrupted during validation
    loader_->start(state_.epoch + 1, 0, /*one_epoch=*/false);

  while (state_.epoch < config_.train.epochs && !out_of_patience(config_, state_)) {
    while (state_.batch < batches_per_epoch_) {
      StepReport report;
      try {
        report = train_step();
      } catch (const Canceled&) {  // before it began: nothing is lost
        save(folder_.last());
        return {true, state_};
      }
      metrics_->add(report);
      tell_of_backend();
      observer_.on_step(report);
      const bool due =
          config_.train.checkpoint_every > 0 && state_.step % config_.train.checkpoint_every == 0;
      if (stop_ || due) save(folder_.last());
      if (stop_) return {true, state_};
    }
    if (!finish_epoch()) {
      save(folder_.last());  // before validation, which a resumed run repeats
      return {true, state_};
    }
    if (stop_) break;
  }
  const bool ended_early = out_of_patience(config_, state_);
  return {state_.epoch < config_.train.epochs && !ended_early, state_, ended_early};
}

std::vector<double> class_weights(const Config& config, const Dataset& dataset) {
  return loss_weights(config.train.loss_weights, dataset.classes, clips_by_class(dataset, Split::train));
}

void choose_best_by(Config& config, const Dataset& dataset) {
  if (!dataset.of(Split::val).empty() && config.train.best_by == BestBy::automatic)
    config.train.best_by = best_by_for(clips_by_class(dataset, Split::val), config.train.patience > 0);
}

bool out_of_patience(const Config& config, const TrainingState& state) {
  return config.train.patience > 0 && state.best_epoch > 0 &&
         state.epoch - state.best_epoch >= config.train.patience && state.epoch < config.train.epochs;
}

void Trainer::record_data() const {
  DataRecord record{
      .data = config_.data.path, .layout = dataset_.layout, .policy = word_of(config_.data.on_bad_file)};
  record.parts.push_back(part_of(dataset_, Split::train, *loader_));
  if (val_) record.parts.push_back(part_of(dataset_, Split::val, *val_));
  write_file(folder_.data(), to_json(record));
}

StepReport Trainer::train_step() {
  const auto start = Clock::now();
  const double waited_before = loader_->seconds_waited();
  const int64_t batches = std::min(config_.train.accumulation, batches_per_epoch_ - state_.batch);
  StepReport report;
  report.epoch = state_.epoch + 1;
  report.step = state_.step + 1;
  report.steps_per_epoch = steps_per_epoch_;
  report.step_of_epoch = state_.batch / config_.train.accumulation + 1;
  report.lr = lr();

  int64_t clips = 0, correct = 0;
  double loss_sum = 0;
  std::vector<int> items;
  network_.store().zero_gradients();
  for (int64_t i = 0; i < batches; ++i) {
    const std::shared_ptr<const Batch> batch = next_batch();
    require(batch && batch->epoch == state_.epoch && batch->index == state_.batch,
            "Trainer: batches out of order");
    items.insert(items.end(), batch->items.begin(), batch->items.end());
    const Tensor pixels = enqueue(*batch, batches);
    // The update follows immediately, and ignores gradients that are not finite; so the host waits for the
    // device only when all of the step's work has been enqueued.
    if (i + 1 == batches) {
      optimizer_.step(report.lr);
      if (average_) average_->update(report.step);
    }
    fetch_upcoming();
    look_at_results(*batch, pixels, loss_sum, correct);
    clips += static_cast<int64_t>(batch->labels.size());
    ++state_.batch;
    ++state_.batches_run;
  }
  report.gradient_norm = optimizer_.gradient_norm();
  if (!std::isfinite(report.gradient_norm))
    diverged("a gradient became NaN or infinite", non_finite_gradient(), items);

  ++state_.step;
  state_.loss_sum += loss_sum;
  state_.clips += clips;
  state_.correct += correct;
  const double seconds = seconds_since(start);
  state_.seconds += seconds;
  report.loss = loss_sum / static_cast<double>(clips);
  report.accuracy = static_cast<double>(correct) / static_cast<double>(clips);
  report.clips_per_second = static_cast<double>(clips) / seconds;
  report.waiting = std::clamp((loader_->seconds_waited() - waited_before) / seconds, 0.0, 1.0);
  report.seconds = state_.seconds;
  return report;
}

/// The next batch in order; its upload to the backend's memory has started.
std::shared_ptr<const Batch> Trainer::next_batch() {
  if (upcoming_) return std::move(upcoming_);
  auto batch = loader_->next();
  if (batch) buffer_.begin(batch);
  return batch;
}

/// Decodes the batch after the current one and starts its upload, while the device computes.
void Trainer::fetch_upcoming() {
  const bool last = state_.epoch + 1 == config_.train.epochs && state_.batch + 1 == batches_per_epoch_;
  if (last || stop_) return;
  try {
    upcoming_ = next_batch();
  } catch (const Canceled&) {
    return;  // the current step is finished first
  }
}

/// Enqueues forward and backward of a batch. Returns its clips.
Tensor Trainer::enqueue(const Batch& batch, int64_t batches_of_step) {
  const LossSettings loss{
      config_.train.label_smoothing,
      1.0 / (static_cast<double>(batch.labels.size()) * static_cast<double>(batches_of_step)),
      class_weights_};
  const auto seed = config_.train.seed;
  Tensor pixels = buffer_.take();
  if (mixer_.mixes()) pixels = mixer_.mix(pixels, batch.labels, seed, batch.epoch, batch.index);
  network_.train_step({.clips = pixels,
                       .labels = batch.labels,
                       .loss = loss,
                       .seed = seed,
                       .step = static_cast<uint64_t>(state_.batches_run),
                       .weights_stay = config_.train.accumulation > 1,
                       .mix = mixer_.labels()});
  return pixels;
}

/// Waits for the losses of the batch passed to enqueue().
void Trainer::look_at_results(const Batch& batch, const Tensor& pixels, double& loss_sum, int64_t& correct) {
  const auto n = batch.labels.size(), classes = dataset_.classes.size();
  losses_.resize(n);
  logits_.resize(n * classes);
  network_.results(losses_, logits_);
  for (size_t i = 0; i < n; ++i) {
    if (!std::isfinite(losses_[i]))
      diverged(
          text("the loss became ", std::isnan(losses_[i]) ? "NaN" : "infinite"),
          network_.find_non_finite(pixels, config_.train.seed, static_cast<uint64_t>(state_.batches_run)),
          batch.items);
    loss_sum += losses_[i];
    // For a mixed clip, the class with the larger fraction counts.
    const LabelMix mix = mixer_.labels();
    const int32_t label = mix.empty() || mix.fraction[i] >= 0.5 ? batch.labels[i] : mix.other_labels[i];
    correct += top(std::span(logits_).subspan(i * classes, classes), 1).front() == label;
  }
}

/// Throws Error for a validation loss that is not finite, which no epoch could be compared with, and tells of one
/// that is absurd.
void Trainer::require_finite(const Evaluation& evaluation) {
  constexpr double kAbsurd = 100;  // times the loss of guessing
  const double guessing = std::log(static_cast<double>(dataset_.classes.size()));
  if (std::isfinite(evaluation.loss)) {
    if (evaluation.loss > kAbsurd * guessing)
      observer_.on_note(text("the validation loss is ", evaluation.loss, ", but guessing has ", guessing,
                             ": the weights, or the statistics of batch norms, have gone astray"));
    return;
  }
  const auto wrong = [](const Prediction& p) { return !std::isfinite(p.loss); };
  const auto first = std::ranges::find_if(evaluation.predictions, wrong);
  throw Error(text("the validation loss became ", evaluation.loss, " in epoch ", state_.epoch + 1, ", of ",
                   std::ranges::count_if(evaluation.predictions, wrong), " of ", evaluation.clips, " clips",
                   first == evaluation.predictions.end() ? "" : "; first of " + visible(first->file)),
              "A smaller --lr, a longer --warmup-epochs or --clip-norm 1 usually helps. The run's "
              "last.safetensors has the weights from before the epoch's end.");
}

/// Validation, the epoch's row and checkpoints; false if the stop flag interrupted validation.
bool Trainer::finish_epoch() {
  const auto start = Clock::now();
  EpochReport report;
  if (val_) {
    std::optional<WeightAverage::InUse> averages;
    if (average_) averages.emplace(*average_);
    const auto classified = classify(network_, *val_, [&](int64_t done, int64_t total) {
      observer_.on_val(done, total);
      return !stop_;
    });
    if (!classified) return false;
    const Evaluation evaluation = summarize(*classified, dataset_, dataset_.classes);
    require_finite(evaluation);
    report.val_loss = evaluation.loss;
    report.val_accuracy = evaluation.accuracy;
    report.val_macro_f1 = evaluation.macro_f1;
    report.val_balanced_accuracy = evaluation.mean_class_accuracy;
    report.val_classes = evaluation.per_class;
    const ValidationScore score{evaluation.loss, evaluation.accuracy, evaluation.macro_f1};
    report.best =
        state_.best_epoch == 0 || is_better(config_.train.best_by, score,
                                            {state_.best_loss, state_.best_accuracy, state_.best_macro_f1});
    if (report.best) {
      state_.best_accuracy = score.accuracy;
      state_.best_loss = score.loss;
      state_.best_macro_f1 = score.macro_f1;
      state_.best_epoch = state_.epoch + 1;
    }
  }
  state_.seconds += seconds_since(start);
  const auto clips = static_cast<double>(std::max<int64_t>(1, state_.clips));
  report.epoch = state_.epoch + 1;
  report.epochs = config_.train.epochs;
  report.step = state_.step;
  report.train_loss = state_.loss_sum / clips;
  report.train_accuracy = static_cast<double>(state_.correct) / clips;
  report.lr = schedule_.learning_rate(std::max<int64_t>(0, state_.step - 1));
  report.seconds = state_.seconds;
  metrics_->add(report);

  ++state_.epoch;
  state_.batch = 0;
  state_.loss_sum = 0;
  state_.clips = state_.correct = 0;
  // The best first: otherwise, a kill between the two would leave a last checkpoint that refers to a best
  // result whose file was never written.
  if (report.best) save(folder_.best());
  save(folder_.last());
  observer_.on_epoch(report);
  return true;
}

void Trainer::save(const std::filesystem::path& path) {
  state_.metrics_bytes = metrics_->flush();
  save_checkpoint(path, network_.store(), optimizer_, average_.get(),
                  {LABAN_VERSION, config_, dataset_.classes, state_, fingerprint_, clips_});
}

/// Backward runs from the last layer to the first, so the last parameter with a bad gradient is where the
/// problem began.
std::string Trainer::non_finite_gradient() {
  const ParameterStore& store = network_.store();
  const auto& parameters = store.list().parameters;
  for (auto p = parameters.rbegin(); p != parameters.rend(); ++p) {
    const std::vector<double> values = store.read(store.grads(), **p);
    const auto bad = std::ranges::count_if(values, [](double v) { return !std::isfinite(v); });
    if (bad) return text("the gradient of ", (*p)->name, " (", bad, " of ", values.size(), " values)");
  }
  return "the sum of their squares (each single one is finite)";
}

void Trainer::diverged(const std::string& what, const std::string& place, const std::vector<int>& items) {
  std::vector<std::string> files;
  for (const int item : items) files.push_back(dataset_.items[static_cast<size_t>(item)].name);
  throw TrainingDiverged(state_.step + 1, place.empty() ? "the loss itself" : place, std::move(files), what);
}

}  // namespace laban
