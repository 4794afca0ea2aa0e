// CpuBackend against the reference in f64, over the table of op cases (guard bands, poisoned outputs, every
// case run twice for the same bits).
//
// Slack beside the one rounding to storage, in units of the result's RMS. Convolutions sum in float. Take K
// products of independent signs in one chain: partial sum k has a size of sqrt(k) products, each addition
// rounds it by at most u = 2^-24 (u/sqrt(3) in the mean square), and all roundings together come to
// u*sqrt(K/6) of the result's RMS. The table's longest sums have K near 2000: 1.1e-6; the largest of some ten
// thousand results lies five to six deviations out, and 8e-6 covers it. A single wrong or missing product
// would show as 1/sqrt(K) = 2e-2. With bf16 the operands are the same bf16 numbers on both sides and their
// products exact in float; the rounding of the result to 8 bits is accounted for by the table.
#include <doctest/doctest.h>

#include "cpu/cpu_backend.h"
#include "support/op_cases.h"
#include "support/relu_mask.h"

using namespace laban;
using namespace laban::test;

namespace {

constexpr double kFloatSums = 8e-6;

}  // namespace

TEST_CASE("cpu, f32: every op agrees with the reference in f64") {
  CpuBackend backend;
  check_ops("", backend, DType::f32, kFloatSums);
}

TEST_CASE("cpu, bf16 widened to f32: every op agrees with the reference in f64") {
  CpuBackend backend(CpuSettings{.bf16 = Bf16Compute::widened});
  check_ops("", backend, DType::bf16, kFloatSums);
}

TEST_CASE("cpu, bf16 by the processor's own instructions: convolutions agree with the reference in f64") {
  CpuBackend backend(CpuSettings{.bf16 = Bf16Compute::native});
  check_ops("conv", backend, DType::bf16, kFloatSums);
}

TEST_CASE("cpu, f64: is the reference") {
  CpuBackend backend;
  check_ops("", backend, DType::f64, 0);
}

TEST_CASE("cpu: batch norm's backward tells from x what its forward's ReLU let through") {
  CpuBackend backend(CpuSettings{.bf16 = Bf16Compute::widened});
  check_relu_mask(backend, DType::f32);
  check_relu_mask(backend, DType::bf16);
}

TEST_CASE("cpu: any number of threads will do") {
  for (const int threads : {1, 3}) {
    CpuBackend backend(CpuSettings{.threads = threads, .bf16 = Bf16Compute::widened});
    CHECK(backend.threads() == threads);
    check_ops("", backend, DType::f32, kFloatSums);
    check_ops("conv", backend, DType::bf16, kFloatSums);
  }
}
