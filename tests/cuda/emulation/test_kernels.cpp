#include <doctest/doctest.h>

#include "emulation/emulated_backend.h"
#include "support/op_cases.h"

using namespace laban;
using namespace laban::test;

TEST_CASE("emulated CUDA kernels agree with the reference in f64") {
  emulation::EmulatedBackend backend;
  for (const DType compute : {DType::f32, DType::bf16})
    for (const char* op : {"relu", "accumulate", "batch_norm.infer", "batch_norm.train", "inverse_std"})
      check_ops(op, backend, compute, 2e-6);
}
