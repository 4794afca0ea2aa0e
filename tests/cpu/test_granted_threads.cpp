// Fewer threads than asked for: every part of the work is computed all the same. ctest runs what is here
// under each environment that limits OpenMP's threads; limits that a process can put on itself are put here.
//
// The op table in f32 has all that is cut into parts: oneDNN's convolutions in each direction, pointwise and
// strided ones among them, our own gradient of the weights, batch norm, pools, products, sums. Its shapes are
// below the least that Winograd's kernels take; kLarge adds those.
#include <doctest/doctest.h>
#include <omp.h>

#include <thread>

#include "core/error.h"
#include "core/processors.h"
#include "cpu/cpu_backend.h"
#include "cpu/parallel.h"
#include "cpu/winograd.h"
#include "support/one_processor.h"
#include "support/op_cases.h"

using namespace laban;
using namespace laban::test;

namespace {

constexpr double kFloatSums = 8e-6;  // test_op_cases.cpp says why

constexpr Window kSpatial{{1, 3, 3}, {1, 1, 1}, {0, 1, 1}};
constexpr Shape kX{2, 40, 2, 14, 18}, kW{48, 40, 1, 3, 3}, kY{2, 48, 2, 14, 18};

std::vector<OpCase> large_cases() {
  return {{"large: forward",
           [](OpRig& rig) {
             ConvForward op;
             op.x = rig.in("x", kX, rig.compute(), normal());
             op.w = rig.in("w", kW, rig.compute(), normal());
             op.y = rig.out("y", kY, rig.compute());
             op.window = kSpatial;
             op.weights_version = OpRig::new_weights_version();
             rig.run(op);
           }},
          {"large: backward_data",
           [](OpRig& rig) {
             ConvBackwardData op;
             op.dy = rig.in("dy", kY, rig.compute(), normal());
             op.w = rig.in("w", kW, rig.compute(), normal());
             op.dx = rig.out("dx", kX, rig.compute());
             op.window = kSpatial;
             op.weights_version = OpRig::new_weights_version();
             rig.run(op);
           }},
          {"large: backward_weights", [](OpRig& rig) {
             ConvBackwardWeights op;
             op.x = rig.in("x", kX, rig.compute(), normal());
             op.dy = rig.in("dy", kY, rig.compute(), normal());
             op.dw = rig.inout("dw", kW, rig.master(), normal());
             op.window = kSpatial;
             rig.run(op);
           }}};
}

void check_large(CpuBackend& backend) {
  for (const OpCase& op_case : large_cases()) {
    INFO(op_case.name);
    const OpReport report = run_case(op_case, backend, DType::f32);
    for (const std::string& violation : report.violations) CHECK_MESSAGE(false, violation);
    for (const OutputError& output : report.outputs) CHECK(output.error <= output.rounding + kFloatSums);
  }
}

/// Everything an op case wrote.
std::vector<std::vector<std::byte>> bytes_of(const OpCase& op_case, CpuBackend& backend) {
  OpRig rig(backend, DType::f32, false, 1);
  op_case.body(rig);
  std::vector<std::vector<std::byte>> all;
  for (OpRig::Result& result : rig.results()) all.push_back(std::move(result.bytes));
  return all;
}

std::vector<OpCase> all_cases() {
  const auto table = op_cases();
  std::vector<OpCase> all(table.begin(), table.end());
  for (OpCase& op_case : large_cases()) all.push_back(std::move(op_case));
  return all;
}

/// For its lifetime, the calling thread is granted no second thread.
struct NoSecondThread {
  int before = omp_get_max_active_levels();
  NoSecondThread() { omp_set_max_active_levels(0); }
  ~NoSecondThread() { omp_set_max_active_levels(before); }
};

/// Calls body() in one thread of a parallel region of two. ThreadSanitizer takes the region's end for a race.
template <class Body>
void in_parallel_region(Body&& body) {
#if !defined(__SANITIZE_THREAD__)
#pragma omp parallel num_threads(2)
#pragma omp single
#endif
  body();
}

/// oneDNN adds the gradient of the weights up by thread; everything else has its order from the number asked
/// for.
bool may_round_differently(const OpCase& op_case) {
  return op_case.name.starts_with("conv.backward_weights");
}

}  // namespace

TEST_CASE("threads granted by the environment: the large cases are Winograd's") {
  const ConvGeometry geometry{kX, kY, kSpatial};
  for (const auto direction :
       {cpu::ConvDirection::forward, cpu::ConvDirection::data, cpu::ConvDirection::weights})
    CHECK(cpu::suits_winograd(direction, geometry));
}

TEST_CASE("threads granted by the environment: every op agrees with the reference") {
  for (const int threads : {2, 5}) {
    CAPTURE(threads);
    CpuBackend backend(threads);
    CHECK(backend.threads() == threads);
    for (const char* ops : {"conv", "batch_norm", "linear", "max_pool", "sum_of_squares"})
      if (threads == 2 || std::string_view(ops) == "conv") check_ops(ops, backend, DType::f32, kFloatSums);
    check_large(backend);
  }
}

TEST_CASE(
    "threads granted by the environment: how many come changes no bits but oneDNN's of gradients of "
    "weights") {
  std::vector<std::vector<std::vector<std::byte>>> alone;
  {
    const NoSecondThread limit;
    CpuBackend backend(2);
    for (const OpCase& op_case : all_cases()) alone.push_back(bytes_of(op_case, backend));
  }
  CpuBackend backend(2);
  size_t at = 0;
  for (const OpCase& op_case : all_cases()) {
    INFO(op_case.name);
    const bool same = bytes_of(op_case, backend) == alone[at++];
    if (!may_round_differently(op_case)) CHECK(same);
  }
}

TEST_CASE("a backend of two threads computes the same wherever it is called from") {
  CpuBackend backend(2);
  std::vector<std::vector<std::vector<std::byte>>> wanted;
  for (const OpCase& op_case : all_cases()) wanted.push_back(bytes_of(op_case, backend));
  const auto check = [&](const char* where, CpuBackend& called) {
    size_t at = 0;
    for (const OpCase& op_case : all_cases()) {
      INFO(where, ": ", op_case.name);
      CHECK(bytes_of(op_case, called) == wanted[at++]);
    }
  };
  // Planned by one thread with all it asked for, run where OpenMP grants a second one to nobody.
  in_parallel_region([&] { check("in a parallel region", backend); });
  {
    const NoSecondThread limit;
    check("under a limit", backend);
  }
  {
    const OneProcessor mask;
    std::thread([&] { check("on one processor", backend); }).join();
  }
  std::thread([&] { check("in another thread", backend); }).join();
  omp_set_dynamic(1);
  CpuBackend dynamic(2);
  check("with dynamic adjustment", dynamic);
  CHECK(omp_get_dynamic() == 1);
  omp_set_dynamic(0);
}

TEST_CASE("a backend made in a parallel region computes with the one thread that it is granted") {
  in_parallel_region([] {
    CpuBackend backend(2);
    check_ops("conv", backend, DType::f32, kFloatSums);
    check_large(backend);
  });
}

TEST_CASE("granted threads: what limits them") {
  CHECK(cpu::granted_threads(1) == 1);
  {
    const NoSecondThread limit;
    CHECK(cpu::granted_threads(7) == 1);
    CHECK(CpuBackend::default_threads() == 1);
    CpuBackend backend(7);
    CHECK(backend.threads() == 7);
    CHECK(backend.note().find("OpenMP grants 1 of the 7 threads") == 0);
    CHECK_THROWS_WITH_AS(cpu::require_granted(7), doctest::Contains("grants 1 of the 7 threads"), Error);
  }
#if !defined(__SANITIZE_THREAD__)
  in_parallel_region([] { CHECK(cpu::granted_threads(7) == 1); });
#endif
  {
    const OneProcessor mask;
    CHECK(available_processors() == 1);
    CHECK(CpuBackend::default_threads() == 1);
    CHECK(cpu::granted_threads(2) == 2);
    CHECK(CpuBackend(2).note().find("2 threads share 1 processor:") == 0);
  }
  CHECK(CpuBackend(1).note().empty());
  CHECK(CpuBackend(1000).note().find("1000 threads") != std::string::npos);
  CHECK(CpuBackend(0).threads() == CpuBackend::default_threads());
  CHECK(CpuBackend(0).note().empty());
}
