#include "layers/dropout.h"

#include "core/hash.h"
#include "core/rng.h"

namespace laban {

DropoutLayer::DropoutLayer(std::string name, double p)
    : Layer(std::move(name)), p_(p), id_(fnv1a(this->name())) {
  if (!(p >= 0 && p < 1)) throw Error(text(this->name(), ": dropout must be in [0, 1), got ", p), "");
}

Value DropoutLayer::forward(StepContext& ctx, const Value& x) {
  clear_saved();
  const bool drops = ctx.mode == Mode::train && p_ > 0;
  const Mask mask{drops ? p_ : 0, ctx.seed, Rng(ctx.seed, Purpose::dropout, id_).next_u64(), ctx.step};
  if (saves(ctx)) mask_ = mask;
  if (!drops) return x;
  Value y = ctx.take(x.shape());
  run(ctx, Dropout{x.tensor(), y.tensor(), mask.p, mask.seed, mask.stream, mask.step});
  return y;
}

Value DropoutLayer::backward(StepContext& ctx, Value dy, bool need_dx) {
  require_forward(mask_.has_value());
  const Mask mask = *mask_;
  clear_saved();
  if (!need_dx) return {};
  if (mask.p == 0) return dy;
  Value dx = dy.unique() ? dy : ctx.take(dy.shape());
  run(ctx, Dropout{dy.tensor(), dx.tensor(), mask.p, mask.seed, mask.stream, mask.step});
  return dx;
}

void DropoutLayer::describe(const Shape& x, std::vector<LayerRow>& rows) const {
  rows.push_back({.name = name(), .kind = text("dropout ", p_), .output = x, .activations = x.count()});
}

}  // namespace laban
