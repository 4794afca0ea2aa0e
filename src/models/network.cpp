#include "models/network.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>

#include "layers/global_avgpool.h"
#include "layers/padding.h"
#include "models/builder.h"

namespace laban {

/// What one call asks for.
struct Network::Pass {
  Tensor clips = {};
  std::span<const int32_t> labels = {};  // empty: no loss (evaluation only)
  std::span<double> losses = {};
  std::span<double> scores = {};  // logits in a training step, probabilities in evaluation
  Mode mode = Mode::train;
  LossSettings loss = {};
  uint64_t seed = 0, step = 0;
  Tensor dclips = {};
  bool probabilities = false;  // scores are to be these (evaluation only)
  LabelMix mix = {};
  bool features = false;  // scores are to be what the last layer sees (evaluation only)
};

/// What a recorded pass holds fast: recorded once, it can serve only calls that ask for the same.
struct Recorded {
  void *clips, *dclips;
  double smoothing, scale;
  uint64_t seed;
  std::unique_ptr<Recording> recording = {};
};

/// An arena for one kind of pass, its inputs and results, and room on the host for these.
struct Network::Plan {
  Plan(Backend& backend, const Pass& pass, int64_t scores_a_clip, DType master)
      : clips(pass.clips.shape),
        mode(pass.mode),
        has_labels(!pass.labels.empty()),
        has_dclips(!pass.dclips.empty()),
        probabilities(pass.probabilities),
        has_mix(!pass.mix.empty()),
        features(pass.features),
        arena(backend),
        host(static_cast<size_t>(clips.n * scores_a_clip) * size_of(DType::f64)) {
    const auto room = [&](DType dtype) {
      return (static_cast<size_t>(clips.n) * size_of(dtype) + kLine - 1) / kLine * kLine;
    };
    inputs = backend.allocate(kLine + 2 * room(DType::i32) + room(master));
    auto* at = static_cast<std::byte*>(inputs->data());
    const Shape each = Shape::vector(clips.n);
    step = Tensor(at, DType::i64, Shape::vector(1), backend.device());
    labels = Tensor(at += kLine, DType::i32, each, backend.device());
    other_labels = Tensor(at += room(DType::i32), DType::i32, each, backend.device());
    share = Tensor(at += room(DType::i32), master, each, backend.device());
  }

  bool serves(const Pass& pass) const {
    return clips == pass.clips.shape && mode == pass.mode && has_labels == !pass.labels.empty() &&
           has_dclips == !pass.dclips.empty() && probabilities == pass.probabilities &&
           has_mix == !pass.mix.empty() && features == pass.features;
  }

  Shape clips;
  Mode mode;
  bool has_labels, has_dclips, probabilities, has_mix, features;
  Arena arena;
  static constexpr size_t kLine = 64;
  std::unique_ptr<Memory> inputs;
  // In `inputs`; outside the arena, because they are written before a pass begins.
  Tensor step, labels, other_labels, share;
  Tensor losses, scores;  // of the last pass: they stay in the arena until its next one
  std::vector<std::byte> host;
  bool warm = false;  // has run once: what a backend sets up lazily is there, and recording may begin
  std::vector<Recorded> recorded;
};

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

/// Host to device, narrowed from double; `host` is long enough.
void copy_in(Backend& backend, std::span<const double> from, std::vector<std::byte>& host, const Tensor& to) {
  for (size_t i = 0; i < from.size(); ++i) {
    if (to.dtype == DType::f64) {
      std::memcpy(host.data() + i * 8, &from[i], 8);
    } else {
      const auto value = static_cast<float>(from[i]);
      std::memcpy(host.data() + i * 4, &value, 4);
    }
  }
  backend.upload(to, host.data());
}

}  // namespace

Network::Network(Backend& backend, DType compute, ModelSpec spec)
    : backend_(backend), compute_(compute), spec_(std::move(spec)), body_(build_layers(spec_)) {
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

void Network::train_step(const Tensor& clips, std::span<const int32_t> labels, const LossSettings& loss,
                         uint64_t seed, uint64_t step, std::span<double> losses, std::span<double> logits,
                         Mode mode, const Tensor& dclips, const LabelMix& mix) {
  require(mode != Mode::evaluate, "Network::train_step: evaluation has no backward; use evaluate()");
  require(!labels.empty(), "Network::train_step: labels are needed");
  const Pass pass{.clips = clips,
                  .labels = labels,
                  .losses = losses,
                  .scores = logits,
                  .mode = mode,
                  .loss = loss,
                  .seed = seed,
                  .step = step,
                  .dclips = dclips,
                  .mix = mix};
  check(pass);
  last_ = nullptr;
  Plan& chosen = plan(pass);
  replay(chosen, pass);
  last_ = &chosen;
  if (mode == Mode::train) store_->count_batch();
  results(losses, logits);
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
  check(pass);
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

void Network::check(const Pass& pass) const {
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
  require(pass.mix.other_labels.size() == pass.mix.share.size() &&
              (pass.mix.empty() || pass.mix.share.size() == n),
          "Network: one other label and one share a clip");
  for (const double share : pass.mix.share)
    require(share >= 0 && share <= 1, "Network: a share must lie between 0 and 1");
  for (const std::span<const int32_t> labels : {pass.labels, pass.mix.other_labels})
    for (size_t i = 0; i < labels.size(); ++i)
      if (labels[i] < 0 || labels[i] >= spec_.classes)
        throw Error(text("clip ", i, " of the batch has the label ", labels[i], "; ", spec_.name, " has ",
                         spec_.classes, " classes, 0 to ", spec_.classes - 1),
                    "Set --classes to the number of classes of the dataset.");
}

StepContext Network::context(Arena& arena, const Pass& pass, const Tensor& step) const {
  return {.backend = backend_,
          .arena = arena,
          .mode = pass.mode,
          .compute = compute_,
          .seed = pass.seed,
          .step = step,
          .weights_version = store_->version(),
          .input_gradient = !pass.dclips.empty()};
}

void Network::abandon(Arena& arena) {
  body_->clear_saved();
  loss_.clear_saved();
  arena.abandon_pass();
}

Network::Plan& Network::plan(const Pass& pass) {
  for (const auto& plan : plans_)
    if (plan->serves(pass)) return *plan;
  Shape clips = pass.clips.shape;
  if (first_ > 0) {
    require(clips == storage_shape(Shape::matrix(clips.n, feature_channels())),
            "Network: features must be n x feature_channels()");
  } else {
    if (clips == storage_shape({clips.n, 3, clips.t, clips.h, clips.w})) clips.c = 3;
    body_->output_shape(clips);  // a readable error before the dry run meets the same
  }
  auto plan = std::make_unique<Plan>(backend_, pass, most_scores(), master_of(compute_));
  run(*plan, pass);  // dry
  require_room(plan->arena.peak_bytes(), clips);
  plan->arena.commit();
  plans_.push_back(std::move(plan));
  return *plans_.back();
}

/// A sentence with the batch that would fit, before the allocation fails.
void Network::require_room(size_t bytes, const Shape& clips) const {
  const std::optional<size_t> free = backend_.free_bytes();
  if (!free) return;
  // What is still to come: the next batch's clips, a smaller arena for the evaluation, kernels that the
  // libraries load when they first run.
  const size_t kept = std::min(*free / 8, *free / 20 + (size_t{512} << 20)), room = *free - kept;
  if (bytes <= room) return;
  constexpr double kGiB = 1024.0 * 1024 * 1024;
  const auto needed = static_cast<double>(bytes), there = static_cast<double>(*free);
  const auto fits = static_cast<int64_t>(static_cast<double>(clips.n) * static_cast<double>(room) / needed);
  const auto gib = [](double b) { return std::round(b / kGiB * 10) / 10; };
  throw Error(text("a batch of ", clips.n, " clips of ", clips.t, " x ", clips.h, " x ", clips.w, " needs ",
                   gib(needed), " GiB for the activations of ", spec_.name, "; device ", backend_.name(),
                   " has ", gib(there), " GiB free, of which ", gib(static_cast<double>(kept)),
                   " are kept for what else a run needs"),
              fits > 0
                  ? text("Use --batch ", fits, " or less (--accumulation keeps the step's clips the same).")
                  : std::string("Not even one clip fits: use fewer --frames, a smaller --size, or a "
                                "smaller model."));
}

void Network::run(Plan& plan, const Pass& pass) {
  plan.arena.begin_pass();
  try {
    execute(plan, pass);
  } catch (...) {
    abandon(plan.arena);
    throw;
  }
}

/// Brings in the labels and the step number, then runs the pass: recorded, where the backend can.
void Network::replay(Plan& plan, const Pass& pass) {
  const auto step = static_cast<int64_t>(pass.step);
  backend_.upload(plan.step, &step);
  if (plan.has_labels) backend_.upload(plan.labels, pass.labels.data());
  if (plan.has_mix) {
    backend_.upload(plan.other_labels, pass.mix.other_labels.data());
    copy_in(backend_, pass.mix.share, plan.host, plan.share);
  }
  if (!plan.warm) {
    run(plan, pass);
    plan.warm = true;
    return;
  }
  for (const Recorded& r : plan.recorded)
    if (r.clips == pass.clips.data && r.dclips == pass.dclips.data && r.smoothing == pass.loss.smoothing &&
        r.scale == pass.loss.scale && r.seed == pass.seed)
      return r.recording->replay();
  const auto body = [&] { run(plan, pass); };
  std::unique_ptr<Recording> recording =
      backend_.record(std::ref(body));  // std::ref: a step allocates nothing
  if (!recording) return run(plan, pass);
  // Two input buffers in turn, and a last micro-batch of another scale: more than these come from callers
  // that never come back to the same place.
  constexpr size_t kKept = 4;
  if (plan.recorded.size() == kKept) plan.recorded.erase(plan.recorded.begin());
  plan.recorded.push_back({pass.clips.data, pass.dclips.data, pass.loss.smoothing, pass.loss.scale, pass.seed,
                           std::move(recording)});
  plan.recorded.back().recording->replay();
}

void Network::execute(Plan& plan, const Pass& pass) {
  StepContext ctx = context(plan.arena, pass, plan.step);
  const size_t end = pass.features ? behind_pool() : body_->layers().size();
  Value logits = body_->forward_part(ctx, Value::external(pass.clips), first_, end);
  if (logits.tensor().dtype != ctx.master()) {  // features
    const Value wide = ctx.take(logits.shape(), ctx.master());
    ctx.run(Cast{logits.tensor(), wide.tensor()});
    logits = wide;
  }

  Value losses;
  if (plan.has_labels)
    losses = loss_.forward(
        ctx, logits,
        {Value::external(plan.labels), plan.has_mix ? Value::external(plan.other_labels) : Value(),
         plan.has_mix ? Value::external(plan.share) : Value()},
        pass.loss.smoothing, pass.loss.scale);
  Value scores = logits;
  if (pass.probabilities) {
    scores = ctx.take(logits.shape(), ctx.master());
    ctx.run(Softmax{logits.tensor(), scores.tensor()});
  }
  if (pass.mode != Mode::evaluate) {
    const Value dclips = body_->backward_part(ctx, loss_.backward(), plan.has_dclips, first_);
    if (plan.has_dclips) {
      ctx.run(SetZero{pass.dclips});
      ctx.run(Accumulate{.from = dclips.tensor(), .into = pass.dclips});
    }
  }
  plan.losses = losses.tensor();
  plan.scores = scores.tensor();
}

size_t Network::planned_bytes(const Shape& clips, Mode mode) {
  body_->output_shape(clips);
  alignas(64) static std::byte token[64];  // a dry run reads no data, but empty tensors mean "not there"
  static constexpr int32_t label = 0;
  const Pass pass{.clips = Tensor(token, compute_, storage_shape(clips), backend_.device()),
                  .labels = {&label, 1},
                  .mode = mode};
  Plan plan(backend_, pass, most_scores(), master_of(compute_));
  run(plan, pass);
  return plan.arena.peak_bytes();
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

std::string Network::find_non_finite(const Tensor& clips, uint64_t seed, uint64_t step) {
  const auto complaint = [](std::string_view what, const std::string& name,
                            const std::vector<double>& values) {
    const auto bad = std::count_if(values.begin(), values.end(), [](double v) { return !std::isfinite(v); });
    return bad ? text(what, name, " (", bad, " of ", values.size(), " values)") : std::string();
  };
  const auto fetch = [&](const Tensor& tensor) {
    // Through f64, whatever the type, by the backend's own cast.
    const std::unique_ptr<Memory> memory = backend_.allocate(static_cast<size_t>(tensor.count()) * 8);
    const Tensor wide(memory->data(), DType::f64, tensor.shape, backend_.device());
    if (tensor.dtype != DType::f64) backend_.run(Cast{tensor, wide}, {});
    std::vector<double> values(static_cast<size_t>(tensor.count()));
    backend_.download(values.data(), tensor.dtype == DType::f64 ? tensor : wide);
    return values;
  };

  if (std::string found = complaint("the clips", "", fetch(clips)); !found.empty()) return found;
  for (const Parameter* p : store_->list().parameters)
    if (std::string found = complaint("the weights ", p->name, store_->read(store_->weights(), *p));
        !found.empty())
      return found;

  const Pass pass{.clips = clips, .seed = seed, .step = step};
  Arena arena(backend_);
  const std::unique_ptr<Memory> number = backend_.allocate(sizeof(int64_t));
  const Tensor at(number->data(), DType::i64, Shape::vector(1), backend_.device());
  const auto value = static_cast<int64_t>(step);
  backend_.upload(at, &value);
  std::string found;
  for (const bool dry : {true, false}) {
    arena.begin_pass();
    try {
      StepContext ctx = context(arena, pass, at);
      Value h = Value::external(clips);
      for (size_t i = first_; i < body_->layers().size(); ++i) {
        Layer& layer = *body_->layers()[i];
        h = layer.forward(ctx, h);
        if (!dry) found = complaint("the output of ", layer.name(), fetch(h.tensor()));
        if (!found.empty()) break;
      }
    } catch (...) {
      abandon(arena);
      throw;
    }
    body_->clear_saved();
    if (dry) arena.commit();
  }
  return found;
}

}  // namespace laban
