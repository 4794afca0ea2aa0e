// One table of op cases, for the tests of every backend. Each case runs on a backend under test and, with the
// same numbers, on ReferenceBackend in f64; what comes back is how far each written tensor is off.
//
//   TEST_CASE("convolutions agree with the reference in f64") {
//     check_ops("conv", backend, DType::f32, 2e-6);
//   }
//
// Names are "<op>: <what is particular>", for instance
// "conv.forward: 1x7x7 s1x2x2 p0x3x3, 2x3x13x15x3 -> 45".
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "support/op_rig.h"

namespace laban::test {

struct OpCase {
  std::string name;
  std::function<void(OpRig&)> body;
};

/// How far one tensor that the op wrote is from the oracle's, in units of the oracle's root mean square.
struct OutputError {
  std::string tensor;
  double error = 0;     // largest absolute difference; infinite where NaN stands against a number
  double rounding = 0;  // what rounding an exact result to the tensor's storage type may cost
};
struct OpReport {
  std::vector<OutputError> outputs;
  /// Sentences: a guard band or an input was overwritten; a second run gave other bits.
  std::vector<std::string> violations;
};

/// The whole table, ordered by op.
std::span<const OpCase> op_cases();

OpReport run_case(const OpCase& op_case, Backend& under_test, DType compute);

/// For doctest: runs the cases whose names begin with `prefix` (there must be some) and CHECKs that nothing
/// was violated and every error <= rounding + slack. `slack` is what the backend's arithmetic may add: for
/// sums in f32 about 1e-6 times a small number; for a backend that rounds only once, zero.
void check_ops(std::string_view prefix, Backend& under_test, DType compute, double slack);
/// The same with a slack that depends on the case's name.
void check_ops(std::string_view prefix, Backend& under_test, DType compute,
               const std::function<double(std::string_view)>& slack);

namespace cases {
// The table's parts, a file each.
void add_conv(std::vector<OpCase>& table);
void add_batch_norm(std::vector<OpCase>& table);
void add_elementwise_and_pools(std::vector<OpCase>& table);
void add_frames(std::vector<OpCase>& table);
void add_linear_and_loss(std::vector<OpCase>& table);
void add_optimizer(std::vector<OpCase>& table);
}  // namespace cases

}  // namespace laban::test
