// Checks of emulated kernels beyond the table of op cases.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <initializer_list>
#include <string>

#include "emulation/emulated_backend.h"
#include "support/op_cases.h"

namespace laban::test {

/// Runs one more case, in f32 and in bf16 or as told, against the reference in f64, as check_ops does.
inline void check_emulated(const std::string& name, const std::function<void(OpRig&)>& body,
                           double slack = 2e-6,
                           std::initializer_list<DType> computes = {DType::f32, DType::bf16}) {
  emulation::EmulatedBackend backend;
  for (const DType compute : computes) {
    INFO(name, " ", name_of(compute));
    const OpReport report = run_case({name, body}, backend, compute);
    CHECK(!report.outputs.empty());
    for (const std::string& violation : report.violations) CHECK_MESSAGE(false, violation);
    for (const OutputError& output : report.outputs) {
      INFO(output.tensor);
      CHECK(output.error <= output.rounding + slack);
    }
  }
}

}  // namespace laban::test
