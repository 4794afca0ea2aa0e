// Every rung of the kernel ladder, emulated, computes the op.
#include <doctest/doctest.h>

#include "cuda/ladder/ladder.h"
#include "emulation/emulated_backend.h"
#include "support/op_cases.h"

using namespace laban;
using namespace laban::test;

namespace {

/// Batch norm with running statistics is done by one rung.
class LadderBackend : public emulation::EmulatedBackend {
 public:
  explicit LadderBackend(const cuda::LadderRung& rung) : rung_(rung) {}

  using EmulatedBackend::run;
  void run(const BatchNormInfer& op, Scratch) override { rung_.run(op, nullptr); }

 private:
  const cuda::LadderRung& rung_;
};

void body(OpRig& rig, const Shape& shape) {
  const Shape vector = Shape::vector(shape.c);
  BatchNormInfer op;
  op.x = rig.in("x", shape, rig.compute(), normal());
  op.residual = rig.in("residual", shape, rig.compute(), normal());
  op.y = rig.out("y", shape, rig.compute());
  op.gamma = rig.in("gamma", vector, rig.master(), normal(0.3, 1));
  op.beta = rig.in("beta", vector, rig.master(), normal(0.3));
  op.running_mean = rig.in("running_mean", vector, rig.master(), normal());
  op.running_var = rig.in("running_var", vector, rig.master(), uniform(0.5, 2));
  op.relu = true;
  rig.run(op);
}

}  // namespace

TEST_CASE("emulated kernel ladder: every rung gives the op's result") {
  REQUIRE(cuda::ladder().size() == 5);
  for (const cuda::LadderRung& rung : cuda::ladder()) {
    LadderBackend backend(rung);
    for (const Shape& shape : {Shape{2, 64, 3, 7, 9}, Shape{1, 232, 2, 5, 5}})
      for (const DType compute : {DType::f32, DType::bf16}) {
        INFO(rung.name, " ", shape, " ", compute);
        const OpReport report = run_case({"ladder", [&](OpRig& rig) { body(rig, shape); }}, backend, compute);
        REQUIRE(report.outputs.size() == 1);
        CHECK(report.violations.empty());
        // Three kernels round what they leave each other.
        const double roundings = rung.tensors_moved == 3 ? 1 : 3;
        CHECK(report.outputs[0].error <= roundings * report.outputs[0].rounding + 2e-6);
      }
  }
}
