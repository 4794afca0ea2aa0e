// The reference in every compute type against itself in f64, over the table of op cases: what f32 and bf16
// storage cost must be one rounding of each result, and no more. (That the f64 results are right is for the
// other tests here.)
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "reference/reference_backend.h"
#include "support/op_cases.h"

using namespace laban;
using namespace laban::test;

TEST_CASE("f64, f32 and bf16 storage: one rounding, no stray writes, the same bits again") {
  ReferenceBackend backend;
  // Operands are the same numbers; what is left beside the rounding is the order of sums, in double.
  for (const DType compute : {DType::f64, DType::f32, DType::bf16}) check_ops("", backend, compute, 1e-12);
}

TEST_CASE("the table covers every op there is, and no two ops have one name") {
  std::set<std::string_view> names;
  AllOps::for_each([&]<class Op>() {
    INFO(Op::kName);
    CHECK(names.insert(Op::kName).second);
    CHECK(std::any_of(op_cases().begin(), op_cases().end(),
                      [](const OpCase& c) { return c.name.starts_with(text(Op::kName, ": ")); }));
  });
  CHECK(names.size() == AllOps::kSize);
}
