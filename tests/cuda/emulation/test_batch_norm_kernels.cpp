// Batch norm, emulated, where the op table's small tensors do not reach: several turns of a block over its
// rows, rows wider than a block, means far from zero, padded channels.
#include <cmath>

#include "emulation/kernel_checks.h"
#include "support/host_tensor.h"

using namespace laban;
using namespace laban::test;

namespace {

struct Case {
  Shape shape;
  bool relu, residual;
  double offset = 0;
};

void train(OpRig& rig, const Case& c) {
  const Shape vector = Shape::vector(c.shape.c);
  BatchNormTrain op;
  op.x = rig.in("x", c.shape, rig.compute(), normal(1, c.offset));
  if (c.residual) op.residual = rig.in("residual", c.shape, rig.compute(), normal());
  op.y = rig.out("y", c.shape, rig.compute());
  op.gamma = rig.in("gamma", vector, rig.master(), normal(0.3, 1));
  op.beta = rig.in("beta", vector, rig.master(), normal(0.3));
  op.mean = rig.out("mean", vector, rig.master());
  op.inv_std = rig.out("inv_std", vector, rig.master());
  op.running_mean = rig.inout("running_mean", vector, rig.master(), normal());
  op.running_var = rig.inout("running_var", vector, rig.master(), uniform(0.5, 2));
  op.relu = c.relu;
  rig.run(op);
}

void backward(OpRig& rig, const Case& c) {
  const Shape vector = Shape::vector(c.shape.c);
  BatchNormBackward op;
  op.x = rig.in("x", c.shape, rig.compute(), normal());
  if (c.relu) op.y = rig.in("y", c.shape, rig.compute(), relu_of_normal());
  op.dy = rig.in("dy", c.shape, rig.compute(), normal());
  if (c.residual) op.dresidual = rig.out("dresidual", c.shape, rig.compute());
  op.dx = rig.out("dx", c.shape, rig.compute());
  op.gamma = rig.in("gamma", vector, rig.master(), normal(0.3, 1));
  op.mean = rig.in("mean", vector, rig.master(), normal(0.3));
  op.inv_std = rig.in("inv_std", vector, rig.master(), uniform(0.5, 2));
  op.dgamma = rig.inout("dgamma", vector, rig.master(), normal());
  op.dbeta = rig.inout("dbeta", vector, rig.master(), normal());
  op.relu = c.relu;
  rig.run(op);
}

}  // namespace

// g*xhat has heavier tails than what it is made of, and sums of many terms have larger peaks over their RMS.
constexpr double kOfSums = 4e-6;

TEST_CASE("emulated batch norm: blocks that take several turns") {
  const Case c{{1, 129, 1, 85, 100}, true, false};  // a row is a block wide; more rows than all blocks of 16
  check_emulated("train", [&](OpRig& rig) { train(rig, c); }, 2e-6, {DType::f32});
  check_emulated("backward", [&](OpRig& rig) { backward(rig, c); }, kOfSums, {DType::f32});
}

TEST_CASE("emulated batch norm: rows of a few packs, rows wider than a block") {
  const Case cases[] = {
      {{2, 64, 2, 15, 17}, true, true},    // packs of 16 bytes, 32 rows high in bf16
      {{1, 921, 2, 3, 5}, true, true},     // strips of odd width; the last one overhangs
      {{2, 2048, 1, 3, 3}, false, false},  // 512 packs in f32: two strips
      {{1, 8, 3, 20, 20}, false, true},    // one pack in bf16: 256 rows high
  };
  for (const Case& c : cases) {
    check_emulated(text("train ", c.shape), [&](OpRig& rig) { train(rig, c); });
    check_emulated(
        text("backward ", c.shape), [&](OpRig& rig) { backward(rig, c); }, kOfSums);
  }
}

TEST_CASE("emulated batch norm: nothing cancels where the mean is far from zero") {
  // What is left is the rounding of means to f32, at the end and on the way, times a gamma of up to 2.
  for (const double offset : {100.0, 1000.0, 10000.0})
    check_emulated(
        text("mean ", offset),
        [&](OpRig& rig) {
          train(rig, {{3, 24, 2, 9, 11}, false, false, offset});
        },
        2e-6 + 3 * offset * 0x1p-24);
}

TEST_CASE("emulated batch norm: channels that are padding stay exactly zero") {
  constexpr int64_t kReal = 45, kPadded = 48;
  const Shape shape{2, kPadded, 2, 5, 5}, vector = Shape::vector(kPadded);
  for (const bool relu : {false, true}) {
    Rng rng(1, Purpose::test);
    const auto filled = [&](Shape s, DType dtype) {
      HostTensor tensor(s, dtype);
      for (int64_t i = 0; i < s.count(); ++i)
        if (i % kPadded < kReal) tensor.set(i, rng.normal());
      return tensor;
    };
    HostTensor x = filled(shape, DType::bf16), residual = filled(shape, DType::bf16),
               dy = filled(shape, DType::bf16);
    HostTensor y(shape, DType::bf16, 7), dx(shape, DType::bf16, 7), dresidual(shape, DType::bf16, 7);
    HostTensor gamma = filled(vector, DType::f32), beta = filled(vector, DType::f32);
    HostTensor mean(vector, DType::f32), inv_std(vector, DType::f32);
    HostTensor dgamma(vector, DType::f32), dbeta(vector, DType::f32);

    emulation::EmulatedBackend backend;
    BatchNormTrain forward;
    forward.x = x;
    forward.residual = residual;
    forward.y = y;
    forward.gamma = gamma;
    forward.beta = beta;
    forward.mean = mean;
    forward.inv_std = inv_std;
    forward.relu = relu;
    run_op(backend, forward);
    BatchNormBackward op;
    op.x = x;
    op.y = y;
    op.dy = dy;
    op.dx = dx;
    op.dresidual = dresidual;
    op.gamma = gamma;
    op.mean = mean;
    op.inv_std = inv_std;
    op.dgamma = dgamma;
    op.dbeta = dbeta;
    op.relu = relu;
    run_op(backend, op);

    double padding = 0, real = 0;
    for (HostTensor* tensor : {&y, &dx, &dresidual, &dgamma, &dbeta})
      for (int64_t i = 0; i < tensor->shape().count(); ++i)
        (i % kPadded < kReal ? real : padding) += std::abs((*tensor)[i]);
    CHECK(padding == 0);
    CHECK(real > 0);
  }
}
