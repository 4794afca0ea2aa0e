// A planned, runnable network: layers, parameters, arenas, and the step (forward, loss, backward).
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "core/pass_mode.h"
#include "layers/graph.h"
#include "layers/layer_row.h"
#include "layers/parameter.h"
#include "models/freeze_settings.h"
#include "models/model_spec.h"

namespace laban {

class Arena;
class Sequential;
class SoftmaxCrossEntropyLoss;
struct StepContext;

struct LossSettings {
  double smoothing = 0;
  double scale = 1;                            // of the gradient: 1 / (batch * accumulation steps)
  std::span<const double> class_weights = {};  // host, one a class; empty: all 1
};

/// The second class of every clip of a mixed batch, and the first one's weight (1 minus it is the second's).
/// Both empty: nothing is mixed.
struct LabelMix {
  std::span<const int32_t> other_labels = {};
  std::span<const double> fraction = {};
  bool empty() const { return fraction.empty(); }
};

/// What Network::train_step() takes, and where its results go.
struct TrainStep {
  Tensor clips;                     // backend memory, compute dtype, storage_shape(n x t x h x w x 3)
  std::span<const int32_t> labels;  // host, n
  LossSettings loss = {};
  uint64_t seed = 0, step = 0;  // choose the dropout masks: another step for every micro-batch
  /// Host copies of the results: n losses, n x classes logits. With both empty the call does not wait for the
  /// device, and results() fetches them later.
  std::span<double> losses = {}, logits = {};
  Mode mode = Mode::train;  // or frozen: fine-tuning with the running statistics as constants
  /// Whether another step may follow before the weights change (gradient accumulation): then copies of them in
  /// other layouts are kept, for time and memory.
  bool weights_stay = false;
  Tensor dclips = {};  // backend memory, like clips: gradient of the clips; empty: not computed
  LabelMix mix = {};
};

class Network {
 public:
  /// Builds the layers of `spec` and binds their parameters; call store().initialize(seed) or load weights
  /// next.
  Network(Backend& backend, DType compute, ModelSpec spec);
  ~Network();

  const ModelSpec& spec() const { return spec_; }
  Backend& backend() const { return backend_; }
  DType compute() const { return compute_; }
  ParameterStore& store() { return *store_; }
  /// Chooses what is trainable (everything, at first). Backward then goes no further down than the lowest
  /// trainable layer, and forward saves nothing below it. To be called before an Optimizer is made. Throws
  /// UsageError, see models/freeze.h.
  void freeze(const FreezeSettings& settings);
  /// Throws Error naming the layer where clips of this shape (n, 3, t, h, w) do not fit.
  Shape output_shape(const Shape& clips) const;
  std::vector<LayerRow> describe(const Shape& clips) const;
  /// How clips of this shape (n, 3, t, h, w) lie in the backend's memory: with zero channels behind the three
  /// where the backend pads.
  Shape storage_shape(Shape clips) const;

  /// One micro-batch: forward, softmax cross-entropy, backward. Gradients are accumulated. The first call for
  /// a shape plans it (dry run); later calls allocate nothing. A backend that can record does so at the second
  /// call with the same places and settings, and replays from then on. Throws Error where a label is not one of
  /// the classes. After any exception the network can go on; gradients of the step are then incomplete.
  void train_step(const TrainStep& step);
  /// Losses and logits of the last train_step(), once the device has computed them. Either may be empty.
  void results(std::span<double> losses, std::span<double> logits = {});
  /// Class probabilities in evaluation mode (running statistics): `probabilities[n*classes]`, and `losses[n]`
  /// where labels are given (without label smoothing). `meanwhile` is called when all ops are on their way
  /// and before their results are waited for: the time to bring in the next clips.
  void evaluate(const Tensor& clips, std::span<double> probabilities, std::span<const int32_t> labels = {},
                std::span<double> losses = {}, const std::function<void()>& meanwhile = {});
  /// The same, but `logits[n*classes]` instead of probabilities.
  void infer(const Tensor& clips, std::span<double> logits, std::span<const int32_t> labels = {},
             std::span<double> losses = {});
  /// What the last layer sees of clips in evaluation: `values[n * feature_channels()]`, averages over places
  /// and time.
  void features(const Tensor& clips, std::span<double> values, const std::function<void()>& meanwhile = {});
  int64_t feature_channels() const;
  /// From now on every pass begins behind the pool: in place of clips it takes features, n x
  /// feature_channels(). Freeze all that lies below.
  void begin_at_features();
  /// What the network computes in evaluation, for exporters.
  Graph trace() const;

  /// Looks for the place where a training forward pass over `clips` first becomes NaN or infinite. Returns a
  /// sentence such as "the output of layer2.0 (3 of 100352 values)", or "" where all is finite. Changes
  /// running statistics; slow; for the report of a run that has already failed.
  std::string find_non_finite(const Tensor& clips, uint64_t seed, uint64_t step);

  /// Arena bytes that a pass over clips of this shape needs, by a dry run; nothing is allocated for it.
  size_t planned_bytes(const Shape& clips, Mode mode);
  /// Arena bytes of the plans made so far, and bytes of parameters, gradients, statistics and working copy.
  size_t activation_bytes() const;
  size_t parameter_bytes() const;

 private:
  struct Pass;
  struct Plan;
  Plan& plan(const Pass& pass);
  void run(Plan& plan, const Pass& pass);
  void replay(Plan& plan, const Pass& pass);
  void execute(Plan& plan, const Pass& pass);
  void validate(const Pass& pass) const;
  void evaluate_pass(const Pass& pass, const std::function<void()>& meanwhile = {});
  void require_fit(size_t bytes, const Shape& clips) const;
  void abandon(Arena& arena);
  StepContext context(Arena& arena, const Pass& pass, const Tensor& step) const;
  size_t behind_pool() const;
  int64_t most_scores() const;

  Backend& backend_;
  DType compute_;
  ModelSpec spec_;
  std::unique_ptr<Sequential> body_;
  std::unique_ptr<SoftmaxCrossEntropyLoss> loss_;
  std::unique_ptr<ParameterStore> store_;
  std::vector<std::unique_ptr<Plan>> plans_;
  size_t first_ = 0;      // of the layers: where passes begin
  Plan* last_ = nullptr;  // whose results results() fetches
};

}  // namespace laban
