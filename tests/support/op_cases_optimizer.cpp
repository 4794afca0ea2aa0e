// Optimizer steps on a flat arena of several segments, and the reduction for clipping.
#include <cmath>

#include "support/op_cases.h"

namespace laban::test::cases {
namespace {

constexpr int64_t kCount = 1003;
// Each with its own settings; a gap before the last one, which must stay as it is.
const ParameterSegment kSegments[] = {
    {0, 300, 1, 1e-2}, {300, 301, 10, 0}, {301, 640, 0.1, 1e-3}, {704, kCount, 1, 0}};

struct Setting {
  const char* name;
  int step;
  double max_norm;      // 0: no clipping. The gradients' norm is made to be about 32
  bool broken = false;  // the norm is NaN: nothing may change
};
const Setting kSettings[] = {{"first step", 1, 0},
                             {"step 7", 7, 0},
                             {"step 7, clipped", 7, 5},
                             {"step 7, norm below the limit", 7, 1000},
                             {"step 7, a norm that is NaN", 7, 5, true},
                             {"step 7, a norm that is NaN, no clipping", 7, 0, true}};

Tensor slice(const Tensor& flat, const ParameterSegment& s) {
  std::byte* begin = static_cast<std::byte*>(flat.data) + static_cast<size_t>(s.begin) * size_of(flat.dtype);
  return Tensor(begin, flat.dtype, Shape::vector(s.end - s.begin), flat.device);
}

/// `body` fills in the op's own part and runs it; `working` copies follow the weights.
void with_common(OpRig& rig, const Setting& setting,
                 const std::function<void(const OptimizerCommon&)>& body) {
  const Shape shape = Shape::vector(kCount);
  OptimizerCommon common;
  common.weights = rig.inout("weights", shape, rig.master(), normal());
  common.grads = rig.in("grads", shape, rig.master(), normal());
  common.control =
      rig.in("control", Shape::vector(2), DType::f64, sequence({0.05, static_cast<double>(setting.step)}));
  if (setting.broken) {
    common.norm_squared = rig.in("norm_squared", Shape::vector(1), DType::f64, constant(std::nan("")));
    common.max_norm = setting.max_norm;
  } else if (setting.max_norm > 0) {
    common.norm_squared = rig.out("norm_squared", Shape::vector(1), DType::f64);
    common.max_norm = setting.max_norm;
    rig.run(SumOfSquares{common.grads, common.norm_squared});
  }
  common.segments = kSegments;
  Tensor working;
  if (rig.compute() == DType::bf16) {
    working = rig.inout("working", shape, DType::bf16, constant(3));
    if (!rig.oracle()) common.working = working;
  }
  body(common);
  // The working copy is the weights, rounded; where no segment is, it stays as it was.
  if (working && rig.oracle() && !setting.broken)
    for (const ParameterSegment& s : kSegments) rig.run(Cast{slice(common.weights, s), slice(working, s)});
}

void add_sgd(std::vector<OpCase>& table, const Setting& setting, double momentum, bool nesterov) {
  table.push_back(
      {text("sgd: ", setting.name, ", momentum ", momentum, nesterov ? ", nesterov" : ""), [=](OpRig& rig) {
         with_common(rig, setting, [&](const OptimizerCommon& common) {
           SgdStep op;
           op.common = common;
           const Shape shape = Shape::vector(kCount);
           // Poison in the first step, which must not look at it.
           op.velocity = setting.step == 1 ? rig.out("velocity", shape, rig.master())
                                           : rig.inout("velocity", shape, rig.master(), normal());
           op.momentum = momentum;
           op.nesterov = nesterov;
           rig.run(op);
         });
       }});
}

void add_adam(std::vector<OpCase>& table, const Setting& setting, bool decoupled) {
  table.push_back({text(decoupled ? "adamw: " : "adam: ", setting.name), [=](OpRig& rig) {
                     with_common(rig, setting, [&](const OptimizerCommon& common) {
                       AdamStep op;
                       op.common = common;
                       const Shape shape = Shape::vector(kCount);
                       const bool fresh = setting.step == 1;
                       op.m = rig.inout("m", shape, rig.master(), fresh ? constant(0) : normal(0.5));
                       op.v = rig.inout("v", shape, rig.master(), fresh ? constant(0) : uniform(0.1, 1));
                       op.decoupled = decoupled;
                       rig.run(op);
                     });
                   }});
}

}  // namespace

void add_optimizer(std::vector<OpCase>& table) {
  for (const Setting& setting : kSettings) {
    add_sgd(table, setting, 0, false);
    add_sgd(table, setting, 0.9, false);
    add_sgd(table, setting, 0.9, true);
    add_adam(table, setting, false);
    add_adam(table, setting, true);
  }
  for (const int64_t count : {int64_t{5}, kCount, int64_t{20000}})
    for (const double decay : {0.0, 0.9, 0.9999})
      table.push_back({text("moving_average: ", count, ", decay ", decay), [=](OpRig& rig) {
                         MovingAverage op;
                         op.average = rig.inout("average", Shape::vector(count), rig.master(), normal());
                         op.values = rig.in("values", Shape::vector(count), rig.master(), normal());
                         op.decay = decay;
                         rig.run(op);
                       }});
  for (const int64_t count : {int64_t{1}, int64_t{7}, kCount, int64_t{100003}})
    table.push_back({text("sum_of_squares: ", count), [=](OpRig& rig) {
                       const Tensor x = rig.in("x", Shape::vector(count), rig.master(), normal());
                       rig.run(SumOfSquares{x, rig.out("result", Shape::vector(1), DType::f64)});
                     }});
}

}  // namespace laban::test::cases
