// Every op on the GPU against the reference in f64, over the table of op cases.
#include <doctest/doctest.h>

#include "support/gpu.h"
#include "support/op_cases.h"
#include "support/relu_mask.h"

using namespace laban;
using namespace laban::test;

namespace {

/// What arithmetic on the GPU may add to the rounding of stored results, in units of the result's rms. Sums
/// are f32 everywhere; convolutions of the table add up to 6,000 products.
constexpr double kF32Slack = 2e-5;
/// TF32 keeps 10 bits of fraction: each factor is off by up to 2^-11, or 2^-10 where the rest is cut off, a
/// sum of many by that times a small number (cut off, the table's worst is 6.4e-3).
constexpr double kTf32Slack = 8e-3;

/// In bf16 cuDNN rounds the gradient of a batch to bf16 before it is added to the f32 gradient
/// (convolution.h): 2^-9 of the largest value, which is a few times the rms.
constexpr double kBf16WeightsSlack = 2e-2;

double bf16_slack(std::string_view name) {
  // Where cuDNN does not add, a gradient of the data is rounded before it is added: by up to 2^-9 of it.
  if (name.starts_with("conv.backward_data: added")) return 5 * 0x1p-9;
  // cuDNN's result is stored before it is normalized: rounded by up to 2^-9 of five deviations, times gamma.
  if (name.starts_with("conv.batch_norm")) return 10 * 0x1p-9;
  return name.starts_with("conv.backward_weights") ? kBf16WeightsSlack : kF32Slack;
}

}  // namespace

TEST_CASE("on the GPU: every op in f32") {
  if (const auto backend = gpu()) check_ops("", *backend, DType::f32, kF32Slack);
}

TEST_CASE("on the GPU: every op in bf16") {
  if (const auto backend = gpu()) check_ops("", *backend, DType::bf16, bf16_slack);
}

TEST_CASE("on the GPU: batch norm's backward tells from x what its forward's ReLU let through") {
  const auto backend = gpu();
  if (!backend) return;
  check_relu_mask(*backend, DType::f32);
  check_relu_mask(*backend, DType::bf16);
}

TEST_CASE("on the GPU: convolutions and matrix products in TF32") {
  const auto backend = gpu({.tf32 = true});
  if (!backend) return;
  check_ops("conv", *backend, DType::f32, kTf32Slack);
  check_ops("linear", *backend, DType::f32, kTf32Slack);
}

TEST_CASE("on the GPU: every op in memory that the host shares") {
  if (const auto backend = gpu({.managed = true})) check_ops("", *backend, DType::f32, kF32Slack);
}

TEST_CASE("on the GPU: convolutions whose plans were chosen by time") {
  if (const auto backend = gpu({.autotune = true})) {
    check_ops("conv", *backend, DType::f32, kF32Slack);
    check_ops("conv", *backend, DType::bf16, bf16_slack);
  }
}

TEST_CASE("on the GPU: bf16 gradients of weights that are never rounded") {
  const auto backend = gpu({.exact_weights = true});
  if (!backend) return;
  // Channels in multiples of 8, as cuDNN's fused addition wants them; cuDNN adds in place.
  for (const char* name : {"3x3x3 s1x1x1 p1x1x1, 2x3x5x5x64 -> 64", "3x3x3 s1x1x1 p0x0x0, 2x5x6x7x8 -> 16",
                           "1x1x1 s2x2x2 p0x0x0, 3x4x5x7x64 -> 128"})
    check_ops(text("conv.backward_weights: ", name), *backend, DType::bf16, kF32Slack);
}
