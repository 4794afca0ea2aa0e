// Optimizer steps against PyTorch, in f64.
//
//   w = torch.tensor([1.,-2,.5,0]);  g = [.1,.2,-.3,1], [-.5,0,.25,2], [.3,-.1,.1,-4] in steps 1, 2, 3
//   lr .1, weight_decay .01; Adam and AdamW with betas (.8,.95), eps 1e-3
// The same parameters stand twice in the arena, as two segments; the second has its learning rate scaled to
// zero where a test does not say otherwise, and so must not move.
#include <doctest/doctest.h>

#include <cmath>

#include "reference/reference_backend.h"
#include "support/host_tensor.h"

using namespace laban;
using namespace laban::test;

namespace {

const Shape kFlat = Shape::vector(9);  // four parameters, a gap, four parameters
const std::vector<double> kStart = {1, -2, .5, 0, 77, 1, -2, .5, 0};
const std::vector<std::vector<double>> kGrads = {{.1, .2, -.3, 1}, {-.5, 0, .25, 2}, {.3, -.1, .1, -4}};
const std::vector<ParameterSegment> kSegments = {{0, 4, 1, .01}, {5, 9, 0, .01}};

struct Arena {
  HostTensor weights{kFlat, kStart}, grads{kFlat}, control{Shape::vector(2), {.1, 0}}, norm{Shape::vector(1)};
  HostTensor working{kFlat, DType::bf16, 99};
  HostTensor first{kFlat}, second{kFlat};  // velocity; m and v
  ReferenceBackend backend;

  OptimizerCommon common() {
    OptimizerCommon c;
    c.weights = weights, c.grads = grads, c.control = control, c.working = working;
    c.segments = kSegments;
    return c;
  }
  /// One step with the gradients of that step, in both segments.
  template <class Op>
  void step(int number, const Op& op) {
    for (int64_t i = 0; i < 4; ++i)
      for (const int64_t at : {i, i + 5})
        grads.set(at, kGrads[static_cast<size_t>(number - 1)][static_cast<size_t>(i)]);
    control.set(1, number);
    run_op(backend, SumOfSquares{grads, norm});
    run_op(backend, op);
  }
  void check(std::vector<double> expected) const {
    expected.insert(expected.end(), kStart.begin() + 4, kStart.end());
    CHECK(weights.distance(expected) < 1e-13);
  }
};

void check_sgd(double momentum, bool nesterov, const std::vector<double>& after1,
               const std::vector<double>& after3) {
  Arena arena;
  for (int64_t i = 0; i < 9; ++i) arena.first.set(i, NAN);  // must not be read in step 1
  const SgdStep op{arena.common(), arena.first, momentum, nesterov};
  arena.step(1, op);
  arena.check(after1);
  arena.step(2, op);
  arena.step(3, op);
  arena.check(after3);
}

}  // namespace

TEST_CASE("SGD: plain, with momentum, Nesterov's") {
  check_sgd(0, false, {0.989, -2.018, 0.5295, -0.1}, {1.006972989, -2.003966018, 0.4934665295, 0.1003999});
  check_sgd(0.9, false, {0.989, -2.018, 0.5295, -0.1}, {1.032282789, -2.032913618, 0.5209084295, -0.2504201});
  check_sgd(0.9, true, {0.9791, -2.0342, 0.55605, -0.19},
            {1.035997312551, -2.033503979462, 0.5121839663405, -0.1241488859});
}

TEST_CASE("gradient clipping: torch.nn.utils.clip_grad_norm_(w, 1.5) before each step") {
  Arena arena;
  OptimizerCommon common = arena.common();
  common.norm_squared = arena.norm;
  common.max_norm = 1.5 * std::sqrt(2);  // the norm is over both copies of the parameters
  const SgdStep op{common, arena.first, 0.9, false};
  arena.step(1, op);
  arena.check({0.989, -2.018, 0.5295, -0.1});  // norm 1.07: not clipped
  arena.step(2, op);
  arena.step(3, op);
  // PyTorch's 1e-6 is relative to a norm smaller by sqrt(2): hence the coarser comparison.
  CHECK(std::abs(arena.weights[0] - 1.02470505287891) < 1e-7);
  CHECK(std::abs(arena.weights[1] + 2.03917644346734) < 1e-7);
  CHECK(std::abs(arena.weights[2] - 0.540354361228893) < 1e-7);
  CHECK(std::abs(arena.weights[3] + 0.395468268601118) < 1e-7);
}

TEST_CASE("Adam and AdamW") {
  for (const bool decoupled : {false, true}) {
    Arena arena;
    AdamStep op;
    op.common = arena.common();
    op.m = arena.first, op.v = arena.second;
    op.beta1 = 0.8, op.beta2 = 0.95, op.eps = 1e-3;
    op.decoupled = decoupled;
    arena.step(1, op);
    arena.check(decoupled ? std::vector<double>{0.899990099009901, -2.09750248756219, 0.599167774086379,
                                                -0.0999000999000999}
                          : std::vector<double>{0.900900900900901, -2.09944751381215, 0.599662162162162,
                                                -0.0999000999000999});
    arena.step(2, op);
    arena.step(3, op);
    arena.check(decoupled ? std::vector<double>{0.96619793134747, -2.16542533337329, 0.576782781993481,
                                                -0.17041065093732}
                          : std::vector<double>{0.964457435154954, -2.1454968299957, 0.574090285669062,
                                                -0.170678053255908});
  }
}

TEST_CASE("segments have their own learning rate and decay; the working copy is the weights in bf16") {
  Arena arena;
  const std::vector<ParameterSegment> segments = {{0, 2, 1, 0}, {2, 4, 10, 0.5}, {5, 9, 0, 0}};
  OptimizerCommon common = arena.common();
  common.segments = segments;
  arena.step(1, SgdStep{common, arena.first, 0, false});
  // w - 0.1*g for the first two; w - 1*(g + 0.5*w) for the next two.
  arena.check({0.99, -2.02, 0.5 - (-0.3 + 0.25), 0 - 1.0});
  for (const int64_t i : {0, 1, 2, 3, 5, 6, 7, 8})
    CHECK(arena.working[i] == rounded(arena.weights[i], DType::bf16));
  CHECK(arena.working[4] == 99);  // the gap belongs to no one
}

TEST_CASE("the sum of squares is kept in f64") {
  // 2^24 + 1 ones and a zero: a float would stop counting.
  const int64_t count = (1 << 24) + 2;
  HostTensor x(Shape::vector(count), DType::f32, 1), result(Shape::vector(1));
  x.set(3, 0);
  ReferenceBackend backend;
  run_op(backend, SumOfSquares{x, result});
  CHECK(result[0] == 16777217.0);
}
