#include "support/op_cases.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "core/hash.h"
#include "reference/reference_backend.h"
#include "support/host_tensor.h"

namespace laban::test {
namespace {

/// Largest relative error of rounding to nearest: half the distance of 1 to the next number.
double unit_roundoff(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return 0x1p-53;
    case DType::f32:
      return 0x1p-24;
    case DType::bf16:
      return 0x1p-8;
    default:
      return 0;
  }
}

OutputError compare(const OpRig::Result& got, const OpRig::Result& expected) {
  const auto count = static_cast<int64_t>(got.bytes.size() / size_of(got.stored));
  double worst = 0, peak = 0, squares = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double a = load_element(got.bytes.data(), got.stored, i);
    const double b = load_element(expected.bytes.data(), expected.stored, i);
    if (std::isnan(a) && std::isnan(b)) continue;
    const double difference = a == b ? 0 : std::abs(a - b);
    worst = std::max(worst, std::isfinite(difference) ? difference : std::numeric_limits<double>::infinity());
    if (!std::isfinite(b)) continue;
    peak = std::max(peak, std::abs(b));
    squares += b * b;
  }
  const double rms = squares > 0 ? std::sqrt(squares / static_cast<double>(count)) : 1;
  // Both sides round. A little above 1, for what is rounded twice (double to float to bf16).
  const double roundoff = 1.01 * (unit_roundoff(got.stored) + unit_roundoff(expected.stored));
  return {got.tensor, worst / rms, roundoff * peak / rms};
}

}  // namespace

std::span<const OpCase> op_cases() {
  static const std::vector<OpCase> table = [] {
    std::vector<OpCase> all;
    cases::add_conv(all);
    cases::add_batch_norm(all);
    cases::add_elementwise_and_pools(all);
    cases::add_frames(all);
    cases::add_linear_and_loss(all);
    cases::add_optimizer(all);
    return all;
  }();
  return table;
}

OpReport run_case(const OpCase& op_case, Backend& under_test, DType compute) {
  const uint64_t seed = fnv1a(op_case.name);  // not the place in the table: inputs stay as cases are added
  ReferenceBackend reference;
  OpRig oracle(reference, compute, true, seed);
  OpRig first(under_test, compute, false, seed), second(under_test, compute, false, seed);
  for (OpRig* rig : {&oracle, &first, &second}) op_case.body(*rig);

  OpReport report;
  const auto expected = oracle.results(), got = first.results(), again = second.results();
  for (size_t i = 0; i < got.size(); ++i) {
    report.outputs.push_back(compare(got[i], expected[i]));
    if (got[i].bytes != again[i].bytes)
      report.violations.push_back(got[i].tensor + ": a second run gave other bits");
  }
  for (std::string& violation : first.violations()) report.violations.push_back(std::move(violation));
  return report;
}

void check_ops(std::string_view prefix, Backend& under_test, DType compute, double slack) {
  check_ops(prefix, under_test, compute, [slack](std::string_view) { return slack; });
}

void check_ops(std::string_view prefix, Backend& under_test, DType compute,
               const std::function<double(std::string_view)>& slack) {
  int found = 0;
  for (const OpCase& op_case : op_cases()) {
    if (!op_case.name.starts_with(prefix)) continue;
    ++found;
    INFO(under_test.name(), " ", name_of(compute), " ", op_case.name);
    const OpReport report = run_case(op_case, under_test, compute);
    CHECK(!report.outputs.empty());
    for (const std::string& violation : report.violations) CHECK_MESSAGE(false, violation);
    for (const OutputError& output : report.outputs) {
      INFO(output.tensor);
      CHECK(output.error <= output.rounding + slack(op_case.name));
    }
  }
  INFO("cases named ", prefix);
  CHECK(found > 0);
}

}  // namespace laban::test
