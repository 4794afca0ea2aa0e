// What a convolution or a linear layer will want of the GPU, worked out without one: which way it goes, and
// how much scratch it takes.
#include <doctest/doctest.h>

#include "cuda/conv/convolution.h"
#include "cuda/linear.h"
#include "cuda/matrix_product.h"
#include "cuda/scratch.h"
#include "cuda_fixture.h"

using namespace laban;
using namespace laban::cuda;
using namespace laban::test;

namespace {

alignas(64) std::byte token[64];  // never read

struct Case {
  Shape x;
  int64_t outputs;
  Window window;
};
const Case kCube{{2, 64, 4, 14, 14}, 64, {{3, 3, 3}, {1, 1, 1}, {1, 1, 1}}};
const Case kPointwise{{2, 64, 4, 14, 14}, 256, {}};

Tensor tensor(DType dtype, const Shape& shape) { return Tensor(token, dtype, shape, Device::cuda); }

ConvBackwardWeights weights(const Case& c, DType compute, bool bias = false) {
  ConvBackwardWeights op;
  op.x = tensor(compute, c.x);
  op.dy = tensor(compute, c.window.output(c.x, c.outputs));
  op.dw = tensor(DType::f32, {c.outputs, c.x.c, c.window.kernel[0], c.window.kernel[1], c.window.kernel[2]});
  if (bias) op.dbias = tensor(DType::f32, Shape::vector(c.outputs));
  op.window = c.window;
  return op;
}

Convolutions convolutions(Convolutions::Settings settings) {
  return Convolutions(ConvPlans(h200(), {}), settings);
}

}  // namespace

TEST_CASE("bf16 gradients of weights: rounded in scratch unless exact ones are wanted") {
  if (!cudnn_can_load()) return;
  const size_t rounded_gradient = 64 * 64 * 27 * 2;
  Convolutions rounded = convolutions({});
  CHECK(rounded.scratch_bytes(weights(kCube, DType::bf16)) >= rounded_gradient);
  CHECK(rounded.scratch_bytes(weights(kCube, DType::bf16, true)) >
        rounded.scratch_bytes(weights(kCube, DType::bf16)));
  // Exact ones where cuDNN can (compiling them takes a driver), else a sentence.
  Convolutions exact = convolutions({.exact_weights = true});
  CHECK(exact.note().empty());
  const bool rounds = exact.rounds_before_adding(weights(kCube, DType::bf16));
  CHECK(rounds == !exact.note().empty());
  const Case odd{{2, 3, 4, 14, 14}, 5, {{3, 3, 3}, {1, 1, 1}, {1, 1, 1}}};
  CHECK(exact.rounds_before_adding(weights(odd, DType::bf16)));
  CHECK(exact.note().find("--exact-weights: cuDNN cannot add in f32 for ") == 0);
  CHECK(rounded.note().empty());
  // In f32 cuDNN itself adds to the gradient: no copy of it.
  ConvPlans plans(h200(), {});
  const ConvPlan& f32 = plans.get({ConvPass::weights,
                                   {kCube.x, kCube.window.output(kCube.x, kCube.outputs), kCube.window},
                                   MathMode::f32,
                                   ConvEpilogue::accumulate,
                                   true});
  CHECK(rounded.scratch_bytes(weights(kCube, DType::f32)) ==
        ScratchCutter::bytes_for({f32.plan.workspace_bytes()}));
}

TEST_CASE("bf16: a stem of 3 channels padded to 8 is unfolded, forward and for its weights") {
  if (!cudnn_can_load()) return;
  const Case stem{{2, 8, 8, 56, 56}, 64, {{7, 7, 7}, {1, 2, 2}, {3, 3, 3}}};
  const Case flat{{2, 24, 8, 56, 28}, 64, {{7, 7, 1}, {1, 2, 1}, {3, 3, 0}}};  // 7*3 channels, padded
  Convolutions all = convolutions({});
  const auto forward = [&](const Case& c, DType dtype, int64_t own) {
    ConvForward op;
    op.x = tensor(dtype, c.x);
    op.w = tensor(dtype, {64, c.x.c, c.window.kernel[0], c.window.kernel[1], c.window.kernel[2]});
    op.y = tensor(dtype, c.window.output(c.x, 64));
    op.window = c.window;
    op.own_channels = own;
    return all.scratch_bytes(op);
  };
  const size_t u = size_t{2} * 8 * 56 * 28 * 24 * 2, taps = size_t{64} * 7 * 7 * 24;
  CHECK(forward(stem, DType::bf16, 3) ==
        ScratchCutter::bytes_for({u, taps * 2, forward(flat, DType::bf16, 0)}));
  ConvBackwardWeights gradient = weights(stem, DType::bf16);
  gradient.own_channels = 3;
  CHECK(all.scratch_bytes(gradient) ==
        ScratchCutter::bytes_for({u, taps * 4, all.scratch_bytes(weights(flat, DType::bf16))}));
  // f32 is padded to 4 only: 24 of 28 products would be left.
  const Case narrow{{2, 4, 8, 56, 56}, 64, stem.window};
  CHECK(forward(narrow, DType::f32, 3) == forward(narrow, DType::f32, 0));
}

TEST_CASE("a pointwise convolution is a matrix product, in all three passes") {
  // No plan is asked for: on a GPU that cuDNN knows nothing of there is none.
  if (!cudnn_can_load()) return;
  Convolutions all = convolutions({});
  const size_t product = ScratchCutter::bytes_for({kProductWorkspace});
  ConvForward forward;
  forward.x = tensor(DType::bf16, kPointwise.x);
  forward.w = tensor(DType::bf16, {256, 64, 1, 1, 1});
  forward.y = tensor(DType::bf16, kPointwise.window.output(kPointwise.x, 256));
  CHECK(all.scratch_bytes(forward) == product);
  ConvBackwardData data;
  data.dy = forward.y;
  data.w = forward.w;
  data.dx = forward.x;
  CHECK(all.scratch_bytes(data) == product);
  CHECK(all.scratch_bytes(weights(kPointwise, DType::bf16)) == product);
}

TEST_CASE("a linear layer's scratch holds f32 copies of what is narrower, and nothing where nothing is") {
  LinearBackwardData data;
  data.dy = tensor(DType::f32, Shape::matrix(8, 10));
  const auto with = [&](DType compute) {
    data.w = tensor(compute, Shape::matrix(10, 512));
    data.dx = tensor(compute, Shape::matrix(8, 512));
    return scratch_bytes(data);
  };
  CHECK(with(DType::f32) == ScratchCutter::bytes_for({kProductWorkspace}));
  CHECK(with(DType::bf16) == ScratchCutter::bytes_for({kProductWorkspace, 10 * 512 * 4, 8 * 512 * 4}));
}
