#include "models/network.h"

#include <algorithm>
#include <cmath>
#include <cstring>

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
};

/// An arena for one kind of pass, and room on the host for its results.
struct Network::Plan {
  Plan(Backend& backend, const Pass& pass, int64_t classes, DType master)
      : clips(pass.clips.shape),
        mode(pass.mode),
        has_labels(!pass.labels.empty()),
        has_dclips(!pass.dclips.empty()),
        arena(backend),
        host(static_cast<size_t>(clips.n * classes) * size_of(master)) {}

  bool serves(const Pass& pass) const {
    return clips == pass.clips.shape && mode == pass.mode && has_labels == !pass.labels.empty() &&
           has_dclips == !pass.dclips.empty();
  }

  Shape clips;
  Mode mode;
  bool has_labels, has_dclips;
  Arena arena;
  std::vector<std::byte> host;
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

}  // namespace

Network::Network(Backend& backend, DType compute, ModelSpec spec)
    : backend_(backend), compute_(compute), spec_(std::move(spec)), body_(build_layers(spec_)) {
  ParameterList list;
  body_->collect(list);
  store_ = std::make_unique<ParameterStore>(backend, compute, std::move(list));
}

Network::~Network() = default;

Shape Network::output_shape(const Shape& clips) const { return body_->output_shape(clips); }

std::vector<LayerRow> Network::describe(const Shape& clips) const {
  std::vector<LayerRow> rows;
  body_->describe(clips, rows);
  return rows;
}

void Network::train_step(const Tensor& clips, std::span<const int32_t> labels, const LossSettings& loss,
                         uint64_t seed, uint64_t step, std::span<double> losses, std::span<double> logits,
                         Mode mode, const Tensor& dclips) {
  require(mode != Mode::evaluate, "Network::train_step: evaluation has no backward; use evaluate()");
  require(!labels.empty(), "Network::train_step: labels are needed");
  const Pass pass{clips, labels, losses, logits, mode, loss, seed, step, dclips};
  check(pass);
  run(plan(pass), pass);
}

void Network::evaluate(const Tensor& clips, std::span<double> probabilities, std::span<const int32_t> labels,
                       std::span<double> losses) {
  const Pass pass{
      .clips = clips, .labels = labels, .losses = losses, .scores = probabilities, .mode = Mode::evaluate};
  check(pass);
  run(plan(pass), pass);
}

void Network::check(const Pass& pass) const {
  const size_t n = static_cast<size_t>(pass.clips.shape.n);
  require(pass.clips.dtype == compute_, "Network: clips must have the compute dtype");
  require(pass.labels.empty() || pass.labels.size() == n, "Network: one label a clip");
  require(pass.losses.size() == (pass.labels.empty() ? 0 : n), "Network: one loss a label");
  require(pass.scores.empty() || pass.scores.size() == n * static_cast<size_t>(spec_.classes),
          "Network: one score a clip and class");
  require(pass.dclips.empty() || (pass.dclips.shape == pass.clips.shape && pass.dclips.dtype == compute_),
          "Network: dclips must be like clips");
  for (size_t i = 0; i < pass.labels.size(); ++i)
    if (pass.labels[i] < 0 || pass.labels[i] >= spec_.classes)
      throw Error(text("clip ", i, " of the batch has the label ", pass.labels[i], "; ", spec_.name, " has ",
                       spec_.classes, " classes, 0 to ", spec_.classes - 1),
                  "Set --classes to the number of classes of the dataset.");
}

StepContext Network::context(Arena& arena, const Pass& pass) const {
  return {.backend = backend_,
          .arena = arena,
          .mode = pass.mode,
          .compute = compute_,
          .seed = pass.seed,
          .step = pass.step,
          .weights_version = store_->version()};
}

void Network::abandon(Arena& arena) {
  body_->forget();
  loss_.forget();
  arena.abandon_pass();
}

Network::Plan& Network::plan(const Pass& pass) {
  for (const auto& plan : plans_)
    if (plan->serves(pass)) return *plan;
  body_->output_shape(pass.clips.shape);  // a readable error before the dry run meets the same
  auto plan = std::make_unique<Plan>(backend_, pass, spec_.classes, master_of(compute_));
  run(*plan, pass);  // dry
  plan->arena.commit();
  plans_.push_back(std::move(plan));
  return *plans_.back();
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

void Network::execute(Plan& plan, const Pass& pass) {
  StepContext ctx = context(plan.arena, pass);
  const Value logits = body_->forward(ctx, Value::external(pass.clips));

  Value losses;
  if (plan.has_labels) {
    const Value labels = ctx.take(Shape::vector(plan.clips.n), DType::i32);
    if (!plan.arena.planning()) backend_.upload(labels.tensor(), pass.labels.data());
    losses = loss_.forward(ctx, logits, labels, pass.loss.smoothing, pass.loss.scale);
  }
  Value scores = logits;
  if (pass.mode == Mode::evaluate) {
    scores = ctx.take(logits.shape(), ctx.master());
    ctx.run(Softmax{logits.tensor(), scores.tensor()});
  } else {
    const Value dclips = body_->backward(ctx, loss_.backward(), plan.has_dclips);
    if (plan.has_dclips) {
      ctx.run(SetZero{pass.dclips});
      ctx.run(Accumulate{.from = dclips.tensor(), .into = pass.dclips});
    }
  }
  // Results leave at the end, so that a device is waited for once.
  if (plan.arena.planning()) return;
  if (!pass.losses.empty()) copy_out(backend_, losses.tensor(), plan.host, pass.losses);
  if (!pass.scores.empty()) copy_out(backend_, scores.tensor(), plan.host, pass.scores);
}

size_t Network::planned_bytes(const Shape& clips, Mode mode) {
  body_->output_shape(clips);
  alignas(64) static std::byte token[64];  // a dry run reads no data, but empty tensors mean "not there"
  static constexpr int32_t label = 0;
  const Pass pass{
      .clips = Tensor(token, compute_, clips, backend_.device()), .labels = {&label, 1}, .mode = mode};
  Plan plan(backend_, pass, spec_.classes, master_of(compute_));
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
  std::string found;
  for (const bool dry : {true, false}) {
    arena.begin_pass();
    try {
      StepContext ctx = context(arena, pass);
      Value h = Value::external(clips);
      for (const auto& layer : body_->layers()) {
        h = layer->forward(ctx, h);
        if (!dry) found = complaint("the output of ", layer->name(), fetch(h.tensor()));
        if (!found.empty()) break;
      }
    } catch (...) {
      abandon(arena);
      throw;
    }
    body_->forget();
    if (dry) arena.commit();
  }
  return found;
}

}  // namespace laban
