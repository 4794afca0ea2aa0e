// laban's CUDA kernels, emulated, against the reference in f64 over the table of op cases: guard bands,
// poisoned outputs and scratch, and every case run twice, in two different orders of threads, for the same
// bits. These are no GPU results: they say that the kernels' text is right, nothing about a GPU's time.
//
// Slack beside the rounding to storage, in units of the result's RMS (see tests/cpu/test_op_cases.cpp). Sums
// here are short or summed in stages; what remains are a few roundings of float, 2^-24 = 6e-8 each, where a
// value is larger than the RMS by up to the largest of some thousand normal numbers.
#include <doctest/doctest.h>

#include "emulation/emulated_backend.h"
#include "support/op_cases.h"
#include "support/relu_mask.h"

using namespace laban;
using namespace laban::test;

namespace {

constexpr double kFloatRoundings = 2e-6;

void check(std::string_view prefix) {
  emulation::EmulatedBackend backend;
  for (const DType compute : {DType::f32, DType::bf16}) check_ops(prefix, backend, compute, kFloatRoundings);
}

}  // namespace

TEST_CASE("emulated kernels: batch norm") {
  check("batch_norm");
  check("inverse_std");
}
TEST_CASE("emulated kernels: batch norm's backward tells from x what its forward's ReLU let through") {
  emulation::EmulatedBackend backend;
  check_relu_mask(backend, DType::f32);
  check_relu_mask(backend, DType::bf16);
}
TEST_CASE("emulated kernels: elementwise") {
  for (const char* op : {"relu", "accumulate", "cast", "set_zero", "dropout", "mix_clips"}) check(op);
}
TEST_CASE("emulated kernels: pools and the shortcut") {
  for (const char* op : {"max_pool", "global_avg_pool", "subsample"}) check(op);
}
TEST_CASE("emulated kernels: clips from frames") {
  // Weights of the resize are differences of places in float: 2^-24 of a place below 40, 36 of them to a
  // sample.
  emulation::EmulatedBackend backend;
  for (const DType compute : {DType::f32, DType::bf16})
    check_ops("clips_from_frames", backend, compute, 1e-5);
}
TEST_CASE("emulated kernels: softmax and its loss") {
  check("cross_entropy");
  check("softmax");
}
TEST_CASE("emulated kernels: optimizers") {
  for (const char* op : {"sgd", "adam", "adamw", "moving_average", "sum_of_squares"}) check(op);
}
