#include "train/optimizer.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/backend.h"
#include "layers/parameter.h"

namespace laban {
namespace {

/// One segment for every run of parameters with the same settings; none for frozen ones, whose memory is not
/// touched by updates. A segment extends to the next parameter's beginning: the alignment gaps between
/// parameters are zero, and remain zero under every update.
std::vector<ParameterSegment> make_segments(const ParameterStore& store, const OptimizerSettings& settings) {
  for (const auto& entry : settings.lr_scales) {
    const std::string& beginning = entry.first;
    const bool used = std::ranges::any_of(store.list().parameters,
                                          [&](const Parameter* p) { return p->name.starts_with(beginning); });
    if (!used)
      throw UsageError(text("lr_scales has '", beginning, "', but no parameter's name begins with that"),
                       "`laban describe MODEL` lists the layers.");
  }
  std::vector<ParameterSegment> segments;
  bool open = false;  // the last segment has not ended yet
  const auto close = [&](int64_t end) {
    if (open) segments.back().end = end;
    open = false;
  };
  for (const Parameter* parameter : store.list().parameters) {
    const int64_t begin = store.offset_of(*parameter);
    if (parameter->frozen) {
      close(begin);
      continue;
    }
    double scale = 1;
    size_t longest = 0;
    for (const auto& [beginning, factor] : settings.lr_scales)
      if (parameter->name.starts_with(beginning) && beginning.size() >= longest)
        scale = factor, longest = beginning.size();
    const bool decays = parameter->decay && (settings.decay_norms || parameter->rank > 1);
    const double decay = decays ? settings.weight_decay : 0;
    if (open && segments.back().lr_scale == scale && segments.back().weight_decay == decay) continue;
    close(begin);
    segments.push_back({begin, 0, scale, decay});
    open = true;
  }
  close(store.weights().count());
  return segments;
}

}  // namespace

Optimizer::Optimizer(ParameterStore& store, const OptimizerSettings& settings)
    : store_(store), settings_(settings), segments_(make_segments(store, settings)) {
  control_ = take(2, DType::f64);
  norm_squared_ = take(1, DType::f64);
  norm_scratch_.bytes = store.backend().scratch_bytes(SumOfSquares{store.grads(), norm_squared_});
  if (norm_scratch_.bytes > 0)
    norm_scratch_.data = take(static_cast<int64_t>(norm_scratch_.bytes), DType::u8).data;
  const DType master = master_of(store.compute());
  if (settings.kind == OptimizerKind::sgd) {
    state_.push_back({"momentum_buffer", take(store.weights().count(), master)});
  } else {
    state_.push_back({"exp_avg", take(store.weights().count(), master)});
    state_.push_back({"exp_avg_sq", take(store.weights().count(), master)});
  }
}

Tensor Optimizer::take(int64_t count, DType dtype) {
  Backend& backend = store_.backend();
  memory_.push_back(backend.allocate(static_cast<size_t>(count) * size_of(dtype)));
  const Tensor tensor(memory_.back()->data(), dtype, Shape::vector(count), backend.device());
  backend.run(SetZero{tensor}, {});
  return tensor;
}

double Optimizer::gradient_norm() {
  Backend& backend = store_.backend();
  double squared = 0;
  backend.download(&squared, norm_squared_);
  return std::sqrt(squared);
}

void Optimizer::step(double learning_rate) {
  Backend& backend = store_.backend();
  ++steps_;
  const std::array<double, 2> control{learning_rate, static_cast<double>(steps_)};
  backend.upload(control_, control.data());
  backend.run(SumOfSquares{store_.grads(), norm_squared_}, norm_scratch_);
  OptimizerCommon common;
  common.weights = store_.weights();
  common.grads = store_.grads();
  common.working = store_.working();
  common.control = control_;
  common.segments = segments_;
  common.norm_squared = norm_squared_;
  common.max_norm = settings_.clip_norm;
  if (settings_.kind == OptimizerKind::sgd) {
    backend.run(SgdStep{common, state_[0].values, settings_.momentum, settings_.nesterov}, {});
  } else {
    backend.run(AdamStep{common, state_[0].values, state_[1].values, settings_.beta1, settings_.beta2,
                         settings_.eps, settings_.kind == OptimizerKind::adamw},
                {});
  }
  store_.weights_changed(/*refresh_working=*/false);
}

}  // namespace laban
