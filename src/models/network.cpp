#include "models/network.h"

#include <algorithm>
#include <cstring>

#include "core/backend.h"
#include "layers/global_avgpool.h"
#include "layers/padding.h"
#include "layers/softmax_cross_entropy.h"
#include "models/builder.h"
#include "models/freeze.h"
#include "models/network_plan.h"

namespace laban {

namespace {

/// Device to host, widened to double; `host` is long enough.
void copy_out(Backend& backend, const Tensor& from, std::vector<std::byte>& host, std::span<double> to) {
  backend.download(host.data(), from);
  for (size_t i = 0; i < to.size(); ++i) {
    if (from.dtype == DType::f64) {
      std::memcpy(&to[i], host.data() + i * 8, 8);
    } else {
      float value = 0;
      std::memcpy(&value, host.data() + i * 4, 4);
      to[i] = static_cast<double>(value);
    }
  }
}

}  // namespace

Network::Network(Backend& backend, DType compute, ModelSpec spec)
    : backend_(backend),
      compute_(compute),
      spec_(std::move(spec)),
      body_(build_layers(spec_)),
      loss_(std::make_unique<SoftmaxCrossEntropyLoss>()) {
  ParameterList list;
  body_->collect(list);
  store_ = std::make_unique<ParameterStore>(backend, compute, std::move(list));
}

Network::~Network() = default;

Shape Network::output_shape(const Shape& clips) const { return body_->output_shape(clips); }

void Network::freeze(const FreezeSettings& settings) {
  laban::freeze(store_->list(), settings);
  plans_.clear();  // they hold other passes
  last_ = nullptr;
}

int64_t Network::most_scores() const {
  return std::max(spec_.classes, padded(feature_channels(), backend_.channel_multiple(compute_)));
}

/// The number of the first layer behind the global average pool.
size_t Network::behind_pool() const {
  const auto& layers = body_->layers();
  const auto pool = std::ranges::find_if(
      layers, [](const auto& layer) { return dynamic_cast<const GlobalAvgPool*>(layer.get()) != nullptr; });
  require(pool != layers.end(), "Network: a network without a global average pool has no features");
  return static_cast<size_t>(pool - layers.begin()) + 1;
}

int64_t Network::feature_channels() const {
  const auto& parameters = store_->list().parameters;
  const auto weight = std::ranges::find(parameters, "fc.weight", &Parameter::name);
  require(weight != parameters.end(), "Network: a network without fc has no features");
  return (*weight)->shape.c;
}

void Network::features(const Tensor& clips, std::span<double> values,
                       const std::function<void()>& meanwhile) {
  evaluate_pass({.clips = clips, .scores = values, .mode = Mode::evaluate, .features = true}, meanwhile);
}

void Network::begin_at_features() {
  first_ = behind_pool();
  plans_.clear();
  last_ = nullptr;
}

Graph Network::trace() const {
  Graph graph;
  body_->trace(graph, kGraphInput);
  return graph;
}

std::vector<LayerRow> Network::describe(const Shape& clips) const {
  std::vector<LayerRow> rows;
  body_->describe(clips, rows);
  return rows;
}

Shape Network::storage_shape(Shape clips) const {
  clips.c = padded(clips.c, backend_.channel_multiple(compute_));
  return clips;
}

void Network::train_step(const TrainStep& step) {
  require(step.mode != Mode::evaluate, "Network::train_step: evaluation has no backward; use evaluate()");
  require(!step.labels.empty(), "Network::train_step: labels are needed");
  const Pass pass{.clips = step.clips,
                  .labels = step.labels,
                  .losses = step.losses,
                  .scores = step.logits,
                  .mode = step.mode,
                  .loss = step.loss,
                  .seed = step.seed,
                  .step = step.step,
                  .dclips = step.dclips,
                  .mix = step.mix,
                  .weights_stay = step.weights_stay};
  validate(pass);
  last_ = nullptr;
  Plan& chosen = plan(pass);
  replay(chosen, pass);
  last_ = &chosen;
  if (step.mode == Mode::train) store_->count_batch();
  results(step.losses, step.logits);
}

void Network::results(std::span<double> losses, std::span<double> logits) {
  require(last_ != nullptr, "Network::results: no train_step() has ended");
  if (!losses.empty()) copy_out(backend_, last_->losses, last_->host, losses);
  if (!logits.empty()) copy_out(backend_, last_->scores, last_->host, logits);
}

void Network::evaluate(const Tensor& clips, std::span<double> probabilities, std::span<const int32_t> labels,
                       std::span<double> losses, const std::function<void()>& meanwhile) {
  evaluate_pass({.clips = clips,
                 .labels = labels,
                 .losses = losses,
                 .scores = probabilities,
                 .mode = Mode::evaluate,
                 .probabilities = true},
                meanwhile);
}

void Network::infer(const Tensor& clips, std::span<double> logits, std::span<const int32_t> labels,
                    std::span<double> losses) {
  evaluate_pass(
      {.clips = clips, .labels = labels, .losses = losses, .scores = logits, .mode = Mode::evaluate});
}

void Network::evaluate_pass(const Pass& pass, const std::function<void()>& meanwhile) {
  validate(pass);
  Plan& chosen = plan(pass);
  replay(chosen, pass);
  if (meanwhile) meanwhile();
  if (!pass.losses.empty()) copy_out(backend_, chosen.losses, chosen.host, pass.losses);
  const auto n = static_cast<size_t>(pass.clips.shape.n);
  const size_t stored = static_cast<size_t>(chosen.scores.shape.c), wanted = pass.scores.size() / n;
  if (stored == wanted) return copy_out(backend_, chosen.scores, chosen.host, pass.scores);
  std::vector<double> rows(n * stored);  // with a backend's padding
  copy_out(backend_, chosen.scores, chosen.host, rows);
  for (size_t i = 0; i < n; ++i)
    std::copy_n(rows.begin() + static_cast<ptrdiff_t>(i * stored), wanted,
                pass.scores.begin() + static_cast<ptrdiff_t>(i * wanted));
}

void Network::validate(const Pass& pass) const {
  const size_t n = static_cast<size_t>(pass.clips.shape.n);
  require(pass.clips.dtype == compute_, "Network: clips must have the compute dtype");
  require(pass.labels.empty() || pass.labels.size() == n, "Network: one label a clip");
  require(pass.losses.empty() || pass.losses.size() == pass.labels.size(), "Network: one loss a label");
  require(
      pass.scores.empty() ||
          pass.scores.size() == n * static_cast<size_t>(pass.features ? feature_channels() : spec_.classes),
      "Network: one score a clip and class");
  require(pass.dclips.empty() || (pass.dclips.shape == pass.clips.shape && pass.dclips.dtype == compute_),
          "Network: dclips must be like clips");
  require(pass.mix.other_labels.size() == pass.mix.fraction.size() &&
              (pass.mix.empty() || pass.mix.fraction.size() == n),
          "Network: one other label and one fraction per clip");
  require(
      pass.loss.class_weights.empty() || pass.loss.class_weights.size() == static_cast<size_t>(spec_.classes),
      "Network: one weight a class");
  for (const double fraction : pass.mix.fraction)
    require(fraction >= 0 && fraction <= 1, "Network: a fraction must lie between 0 and 1");
  for (const std::span<const int32_t> labels : {pass.labels, pass.mix.other_labels})
    for (size_t i = 0; i < labels.size(); ++i)
      if (labels[i] < 0 || labels[i] >= spec_.classes)
        throw Error(text("clip ", i, " of the batch has the label ", labels[i], "; ", spec_.name, " has ",
                         spec_.classes, " classes, 0 to ", spec_.classes - 1),
                    "Set --classes to the number of classes of the dataset.");
}

size_t Network::activation_bytes() const {
  size_t bytes = 0;
  for (const auto& plan : plans_) bytes += plan->arena.peak_bytes();
  return bytes;
}

size_t Network::parameter_bytes() const {
  return store_->weights().bytes() + store_->grads().bytes() + store_->statistics().bytes() +
         (store_->working() ? store_->working().bytes() : 0);
}

}  // namespace laban
