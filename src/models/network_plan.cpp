// Planning a pass (a dry run that finds its peak of memory), running it, and recording it where the backend can.
#include "models/network_plan.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <optional>

#include "core/error.h"
#include "layers/sequential.h"
#include "layers/softmax_cross_entropy.h"

namespace laban {

namespace {

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

StepContext Network::context(Arena& arena, const Pass& pass, const Tensor& step) const {
  return {.backend = backend_,
          .arena = arena,
          .mode = pass.mode,
          .compute = compute_,
          .seed = pass.seed,
          .step = step,
          .weights_version = store_->version(),
          .weights_stay = pass.mode == Mode::evaluate || pass.weights_stay,
          .input_gradient = !pass.dclips.empty()};
}

void Network::abandon(Arena& arena) {
  body_->clear_saved();
  loss_->clear_saved();
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
  auto plan = std::make_unique<Plan>(backend_, pass, most_scores(), spec_.classes, master_of(compute_));
  run(*plan, pass);  // dry
  require_fit(plan->arena.peak_bytes(), clips);
  plan->arena.commit();
  plans_.push_back(std::move(plan));
  return *plans_.back();
}

/// A sentence with the batch that would fit, before the allocation fails.
void Network::require_fit(size_t bytes, const Shape& clips) const {
  const std::optional<size_t> free = backend_.free_bytes();
  if (!free) return;
  // What is still to come: the next batch's clips, a smaller arena for the evaluation, kernels that the
  // libraries load when they first run.
  const size_t kept = std::min(*free / 8, *free / 20 + (size_t{512} << 20)), available = *free - kept;
  if (bytes <= available) return;
  constexpr double kGiB = 1024.0 * 1024 * 1024;
  const auto needed = static_cast<double>(bytes), there = static_cast<double>(*free);
  const auto fits =
      static_cast<int64_t>(static_cast<double>(clips.n) * static_cast<double>(available) / needed);
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
    copy_in(backend_, pass.mix.fraction, plan.host, plan.fraction);
  }
  if (plan.has_class_weights && !std::ranges::equal(plan.class_weights_there, pass.loss.class_weights)) {
    copy_in(backend_, pass.loss.class_weights, plan.host, plan.class_weights);
    plan.class_weights_there.assign(pass.loss.class_weights.begin(), pass.loss.class_weights.end());
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
    losses = loss_->forward(
        ctx, logits,
        {Value::external(plan.labels), plan.has_mix ? Value::external(plan.other_labels) : Value(),
         plan.has_mix ? Value::external(plan.fraction) : Value(),
         plan.has_class_weights ? Value::external(plan.class_weights) : Value()},
        pass.loss.smoothing, pass.loss.scale);
  Value scores = logits;
  if (pass.probabilities) {
    scores = ctx.take(logits.shape(), ctx.master());
    ctx.run(Softmax{logits.tensor(), scores.tensor()});
  }
  if (pass.mode != Mode::evaluate) {
    const Value dclips = body_->backward_part(ctx, loss_->backward(), plan.has_dclips, first_);
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
  Plan plan(backend_, pass, most_scores(), spec_.classes, master_of(compute_));
  run(plan, pass);
  return plan.arena.peak_bytes();
}

}  // namespace laban
