// The kernel that adds a rounded gradient of weights to the master gradient; no op of core/ops, so no
// op case: against the sum itself.
#include <doctest/doctest.h>

#include "core/rng.h"
#include "cuda/kernels/kernels.h"
#include "support/host_tensor.h"

using namespace laban;
using namespace laban::test;

TEST_CASE("emulated kernels: bf16 added to f32 loses nothing but the sum's own rounding") {
  for (const int64_t count : {1, 7, 64, 4096, 9999}) {
    CAPTURE(count);
    Rng rng(3, Purpose::test, static_cast<uint64_t>(count));
    HostTensor from(Shape::vector(count), DType::bf16), into(Shape::vector(count), DType::f32);
    std::vector<double> expected;
    for (int64_t i = 0; i < count; ++i) {
      from.set(i, rng.normal());
      into.set(i, rng.normal());
      expected.push_back(static_cast<float>(into[i]) + static_cast<float>(from[i]));
    }
    cuda::run(cuda::AccumulateWidened{.from = from, .into = into}, nullptr);
    CHECK(into.values() == expected);
  }
}
