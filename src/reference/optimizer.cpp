// Optimizer steps over the flat parameter arena. Formulas: math/optimizer.h.
#include "math/optimizer.h"

#include "math/moving_average.h"
#include "reference/loops.h"

namespace laban::reference {
namespace {
/// False: a NaN or infinite gradient, which must not reach the weights.
bool may_update(const OptimizerCommon& common) {
  return !common.norm_squared || is_finite(*common.norm_squared.as<double>());
}

double gradient_scale(const OptimizerCommon& common) {
  if (common.max_norm <= 0 || !common.norm_squared) return 1;
  return clip_scale(*common.norm_squared.as<double>(), common.max_norm);
}

/// Walks all segments. make_update(lr, weight_decay) gives a segment's formula, apply(formula, i, w, g) the
/// new weight.
template <class M, class MakeUpdate, class Apply>
void for_each_weight(const OptimizerCommon& common, MakeUpdate&& make_update, Apply&& apply) {
  const double lr = common.control.as<double>()[0], scale = gradient_scale(common);
  M* weights = common.weights.as<M>();
  const M* grads = common.grads.as<M>();
  BFloat16* working = common.working.as_or_null<BFloat16>();
  for (const ParameterSegment& segment : common.segments) {
    const auto update = make_update(lr * segment.lr_scale, segment.weight_decay);
    for (int64_t i = segment.begin; i < segment.end; ++i) {
      store(weights[i], apply(update, i, weights[i], grads[i] * scale));
      if (working) store(working[i], weights[i]);
    }
  }
}

}  // namespace

template <>
size_t scratch_bytes(const SgdStep&) {
  return 0;
}
template <>
void run(const SgdStep& op, Scratch) {
  if (!may_update(op.common)) return;
  const bool first_step = op.common.control.as<double>()[1] == 1;
  with_master_type(op.common.weights.dtype, [&]<class M>() {
    M* velocity = op.velocity.as<M>();
    for_each_weight<M>(
        op.common,
        [&](double lr, double decay) {
          return SgdUpdate<double>{lr, decay, op.momentum, op.nesterov, first_step};
        },
        [&](const SgdUpdate<double>& update, int64_t i, double w, double g) {
          double v = velocity[i];
          const double updated = update(w, g, v);
          store(velocity[i], v);
          return updated;
        });
  });
}

template <>
size_t scratch_bytes(const AdamStep&) {
  return 0;
}
template <>
void run(const AdamStep& op, Scratch) {
  if (!may_update(op.common)) return;
  const double step = op.common.control.as<double>()[1];
  with_master_type(op.common.weights.dtype, [&]<class M>() {
    M *m = op.m.as<M>(), *v = op.v.as<M>();
    for_each_weight<M>(
        op.common,
        [&](double lr, double decay) {
          return AdamUpdate<double>(lr, decay, op.beta1, op.beta2, op.eps, op.decoupled, step);
        },
        [&](const AdamUpdate<double>& update, int64_t i, double w, double g) {
          double m_i = m[i], v_i = v[i];
          const double updated = update(w, g, m_i, v_i);
          store(m[i], m_i);
          store(v[i], v_i);
          return updated;
        });
  });
}

template <>
size_t scratch_bytes(const MovingAverage&) {
  return 0;
}
template <>
void run(const MovingAverage& op, Scratch) {
  with_master_type(op.average.dtype, [&]<class M>() {
    M* average = op.average.as<M>();
    const M* values = op.values.as<M>();
    for (int64_t i = 0; i < op.average.count(); ++i)
      store(average[i], moving_average<double>(average[i], values[i], 1 - op.decay));
  });
}

template <>
size_t scratch_bytes(const SumOfSquares&) {
  return 0;
}
template <>
void run(const SumOfSquares& op, Scratch) {
  with_float_type(op.x.dtype, [&]<class T>() {
    const T* x = op.x.as<T>();
    *op.result.as<double>() = dot(x, x, op.x.count());
  });
}

}  // namespace laban::reference
