// Optimizer steps over the flat parameter arena. Formulas: math/optimizer.h, computed in double as the
// reference does (in float, 1 - beta2 alone would be off by 1e-5): memory is what these loops wait for.
#include <algorithm>

#include "math/optimizer.h"

#include "core/ops/optimizer.h"
#include "cpu/elements.h"
#include "cpu/kernels/ops.h"
#include "cpu/tiles.h"
#include "math/moving_average.h"

namespace laban::cpu::LABAN_ISA {
namespace {

/// False: a NaN or infinite gradient, which must not reach the weights.
bool may_update(const OptimizerCommon& common) {
  return !common.norm_squared || is_finite(*common.norm_squared.as<double>());
}

/// Walks all segments, cut into tiles. make_update(lr, weight_decay) gives a
/// segment's formula; apply(formula, i, w, g) the new weight.
template <class MakeUpdate, class Apply>
void for_each_weight(const OptimizerCommon& common, ThreadPool& pool, MakeUpdate&& make_update,
                     Apply&& apply) {
  const double lr = common.control.as<double>()[0];
  const bool clips = common.max_norm > 0 && common.norm_squared;
  const double scale = clips ? clip_scale(*common.norm_squared.as<double>(), common.max_norm) : 1.0;
  float* weights = common.weights.as<float>();
  const float* grads = common.grads.as<float>();
  BFloat16* working = common.working.as_or_null<BFloat16>();
  constexpr int64_t kBlock = 4096;  // new weights are still in L1 when the bf16 copy is made
  const Tiles tiles = Tiles::of(common.weights.count(), 1);
  pool.for_each_tile(tiles.tiles(), [&](int64_t tile, int) {
    for (const ParameterSegment& segment : common.segments) {
      const int64_t begin = std::max(tiles.begin(tile), segment.begin),
                    end = std::min(tiles.end(tile), segment.end);
      if (begin >= end) continue;
      const auto update = make_update(lr * segment.lr_scale, segment.weight_decay);
      for (int64_t at = begin; at < end; at += kBlock) {
        const int64_t stop = std::min(end, at + kBlock);
#pragma omp simd
        for (int64_t i = at; i < stop; ++i)
          weights[i] = static_cast<float>(apply(update, i, weights[i], grads[i] * scale));
        if (!working) continue;
#pragma omp simd
        for (int64_t i = at; i < stop; ++i) working[i] = narrow<BFloat16>(weights[i]);
      }
    }
  });
}

}  // namespace

void run(const SgdStep& op, Scratch, ThreadPool& pool) {
  if (!may_update(op.common)) return;
  const bool first_step = op.common.control.as<double>()[1] == 1;
  float* velocity = op.velocity.as<float>();
  for_each_weight(
      op.common, pool,
      [&](double lr, double decay) {
        return SgdUpdate<double>{lr, decay, op.momentum, op.nesterov, first_step};
      },
      [velocity](const SgdUpdate<double>& update, int64_t i, double w, double g) {
        double v = velocity[i];
        const double updated = update(w, g, v);
        velocity[i] = static_cast<float>(v);
        return updated;
      });
}

void run(const AdamStep& op, Scratch, ThreadPool& pool) {
  if (!may_update(op.common)) return;
  const double step = op.common.control.as<double>()[1];
  float *m = op.m.as<float>(), *v = op.v.as<float>();
  for_each_weight(
      op.common, pool,
      [&](double lr, double decay) {
        return AdamUpdate<double>(lr, decay, op.beta1, op.beta2, op.eps, op.decoupled, step);
      },
      [m, v](const AdamUpdate<double>& update, int64_t i, double w, double g) {
        double m_i = m[i], v_i = v[i];
        const double updated = update(w, g, m_i, v_i);
        m[i] = static_cast<float>(m_i);
        v[i] = static_cast<float>(v_i);
        return updated;
      });
}

void run(const MovingAverage& op, Scratch, ThreadPool& pool) {
  float* average = op.average.as<float>();
  const float* values = op.values.as<float>();
  const double rest = 1 - op.decay;
  const Tiles tiles = Tiles::of(op.average.count(), 1);
  pool.for_each_tile(tiles.tiles(), [&](int64_t tile, int) {
    const int64_t end = tiles.end(tile);
#pragma omp simd
    for (int64_t i = tiles.begin(tile); i < end; ++i)
      average[i] = static_cast<float>(moving_average<double>(average[i], values[i], rest));
  });
}

}  // namespace laban::cpu::LABAN_ISA
