// Every instruction set that this machine has, with any number of threads: results agree with the reference,
// and all numbers of threads give the same bits.
#include <doctest/doctest.h>

#include "cpu/cpu_backend.h"
#include "support/op_cases.h"

using namespace laban;
using namespace laban::test;

namespace {

constexpr double kFloatSums = 8e-6;  // test_op_cases.cpp says why

/// Cases of several tiles each, which those of the table, being small, are not. Rows of 37 channels end within
/// a vector; of 300, within a block of channels.
std::vector<OpCase> large_cases() {
  std::vector<OpCase> cases;
  for (const Shape shape : {Shape{2, 37, 5, 30, 31}, Shape{3, 300, 2, 12, 13}, Shape{2, 64, 4, 28, 28}}) {
    const Shape vector = Shape::vector(shape.c);
    for (const bool residual : {false, true}) {
      const std::string of = text(shape, residual ? " + residual" : "");
      cases.push_back({"large batch_norm.train: " + of, [=](OpRig& rig) {
                         BatchNormTrain op;
                         op.x = rig.in("x", shape, rig.compute(), normal(1, 3));
                         if (residual) op.residual = rig.in("residual", shape, rig.compute(), normal());
                         op.y = rig.out("y", shape, rig.compute());
                         op.gamma = rig.in("gamma", vector, rig.master(), normal(0.3, 1));
                         op.beta = rig.in("beta", vector, rig.master(), normal(0.3));
                         op.mean = rig.out("mean", vector, rig.master());
                         op.inv_std = rig.out("inv_std", vector, rig.master());
                         op.running_mean = rig.inout("running_mean", vector, rig.master(), normal());
                         op.running_var = rig.inout("running_var", vector, rig.master(), uniform(0.5, 2));
                         op.relu = true;
                         rig.run(op);
                       }});
      cases.push_back({"large batch_norm.backward: " + of, [=](OpRig& rig) {
                         BatchNormBackward op;
                         op.x = rig.in("x", shape, rig.compute(), normal());
                         op.y = rig.in("y", shape, rig.compute(), relu_of_normal());
                         op.dy = rig.in("dy", shape, rig.compute(), normal());
                         if (residual) op.dresidual = rig.out("dresidual", shape, rig.compute());
                         op.dx = rig.out("dx", shape, rig.compute());
                         op.gamma = rig.in("gamma", vector, rig.master(), normal(0.3, 1));
                         op.mean = rig.in("mean", vector, rig.master(), normal(0.3));
                         op.inv_std = rig.in("inv_std", vector, rig.master(), uniform(0.5, 2));
                         op.dgamma = rig.inout("dgamma", vector, rig.master(), normal());
                         op.dbeta = rig.inout("dbeta", vector, rig.master(), normal());
                         op.relu = true;
                         rig.run(op);
                       }});
    }
    cases.push_back({"large relu: " + text(shape), [=](OpRig& rig) {
                       rig.run(ReluForward{rig.in("x", shape, rig.compute(), normal()),
                                           rig.out("y", shape, rig.compute())});
                     }});
    cases.push_back({"large max_pool: " + text(shape), [=](OpRig& rig) {
                       const Window window{{3, 3, 3}, {1, 2, 2}, {1, 1, 1}};
                       const Shape pooled = window.output(shape, shape.c);
                       MaxPoolForward op;
                       op.x = rig.in("x", shape, rig.compute(), normal());
                       op.y = rig.out("y", pooled, rig.compute());
                       op.taps = rig.out("taps", pooled, DType::u8);
                       op.window = window;
                       rig.run(op);
                       MaxPoolBackward back;
                       back.dy = rig.in("dy", pooled, rig.compute(), normal());
                       back.taps = op.taps;
                       back.dx = rig.out("dx", shape, rig.compute());
                       back.window = window;
                       rig.run(back);
                     }});
    cases.push_back({"large global_avg_pool: " + text(shape), [=](OpRig& rig) {
                       const Shape pooled{shape.n, shape.c, 1, 1, 1};
                       rig.run(GlobalAvgPoolForward{rig.in("x", shape, rig.compute(), normal()),
                                                    rig.out("y", pooled, rig.compute())});
                       rig.run(GlobalAvgPoolBackward{rig.in("dy", pooled, rig.compute(), normal()),
                                                     rig.out("dx", shape, rig.compute())});
                     }});
  }
  for (const int64_t classes : {10, 400}) {
    const Shape x{5, 700, 1, 1, 1}, y{5, classes, 1, 1, 1}, w{classes, 700, 1, 1, 1};
    cases.push_back({text("large linear: ", classes), [=](OpRig& rig) {
                       LinearForward op;
                       op.x = rig.in("x", x, rig.compute(), normal());
                       op.w = rig.in("w", w, rig.compute(), normal());
                       op.bias = rig.in("bias", Shape::vector(classes), rig.master(), normal());
                       op.y = rig.out("y", y, rig.master());
                       rig.run(op);
                       LinearBackwardData data;
                       data.dy = rig.in("dy", y, rig.master(), normal());
                       data.w = op.w;
                       data.dx = rig.out("dx", x, rig.compute());
                       rig.run(data);
                       LinearBackwardWeights weights;
                       weights.x = op.x;
                       weights.dy = data.dy;
                       weights.dw = rig.inout("dw", w, rig.master(), normal());
                       weights.dbias = rig.inout("dbias", Shape::vector(classes), rig.master(), normal());
                       rig.run(weights);
                     }});
  }
  cases.push_back({"large sum_of_squares", [](OpRig& rig) {
                     rig.run(SumOfSquares{rig.in("x", Shape::vector(300001), rig.master(), normal()),
                                          rig.out("result", Shape::vector(1), DType::f64)});
                   }});
  return cases;
}

std::vector<OpCase> all_cases() {
  const auto table = op_cases();
  std::vector<OpCase> all(table.begin(), table.end());
  for (OpCase& op_case : large_cases()) all.push_back(std::move(op_case));
  return all;
}

/// Everything that a case wrote.
std::vector<std::vector<std::byte>> bytes_of(const OpCase& op_case, CpuBackend& backend, DType compute) {
  OpRig rig(backend, compute, false, 1);
  op_case.body(rig);
  std::vector<std::vector<std::byte>> all;
  for (OpRig::Result& result : rig.results()) all.push_back(std::move(result.bytes));
  return all;
}

/// Calls body(isa) for each instruction set that this machine has, and names those that it lacks.
template <class Body>
void for_each_isa(Body&& body) {
  for (const cpu::Isa isa : cpu::compiled_isas()) {
    if (const std::string lacks = cpu::lacking(isa); !lacks.empty()) {
      MESSAGE("not tested here: ", cpu::name_of(isa), " (this machine lacks ", lacks, ")");
      continue;
    }
    INFO("instruction set ", cpu::name_of(isa));
    body(isa);
  }
}

}  // namespace

TEST_CASE("each instruction set: every op agrees with the reference in f64") {
  for_each_isa([](cpu::Isa isa) {
    CpuBackend backend(CpuSettings{.threads = 2, .isa = isa, .bf16 = Bf16Compute::widened});
    check_ops("", backend, DType::f32, kFloatSums);
    check_ops("", backend, DType::bf16, kFloatSums);
    for (const OpCase& op_case : large_cases())
      for (const DType compute : {DType::f32, DType::bf16}) {
        INFO(name_of(compute), " ", op_case.name);
        const OpReport report = run_case(op_case, backend, compute);
        for (const std::string& violation : report.violations) CHECK_MESSAGE(false, violation);
        for (const OutputError& output : report.outputs) {
          INFO(output.tensor);
          CHECK(output.error <= output.rounding + kFloatSums);
        }
      }
  });
}

TEST_CASE("each instruction set: the same bits with any number of threads") {
  for_each_isa([](cpu::Isa isa) {
    const auto cases = all_cases();
    for (const DType compute : {DType::f32, DType::bf16}) {
      std::vector<std::vector<std::vector<std::byte>>> alone;
      for (const int threads : {1, 2, 3, 5, 8, 16}) {
        CpuBackend backend(CpuSettings{.threads = threads, .isa = isa, .bf16 = Bf16Compute::widened});
        REQUIRE(backend.threads() == threads);
        for (size_t i = 0; i < cases.size(); ++i) {
          auto bytes = bytes_of(cases[i], backend, compute);
          if (threads == 1) {
            alone.push_back(std::move(bytes));
            continue;
          }
          INFO(name_of(compute), ", ", threads, " threads: ", cases[i].name);
          CHECK(bytes == alone[i]);
        }
      }
    }
  });
}

TEST_CASE("each instruction set: batch norm behind a convolution has the bits that it has by itself") {
  for_each_isa([](cpu::Isa isa) {
    CpuBackend backend(CpuSettings{.threads = 2, .isa = isa});
    // Winograd's and direct algorithms; channels that end in half a vector.
    for (const Window& window :
         {Window{{1, 3, 3}, {1, 1, 1}, {0, 1, 1}}, Window{{3, 1, 1}, {1, 1, 1}, {1, 0, 0}},
          Window{{3, 3, 3}, {2, 2, 2}, {1, 1, 1}}, Window{}})
      for (const int64_t outputs : {45, 64}) {
        INFO(window, " -> ", outputs);
        const Shape x{1, 48, 4, 12, 11}, y = window.output(x, outputs), vector = Shape::vector(outputs);
        OpRig rig(backend, DType::f32, false, 1);
        ConvBatchNorm op;
        op.x = rig.in("x", x, DType::f32, normal());
        op.w = rig.in("w", {outputs, x.c, window.kernel[0], window.kernel[1], window.kernel[2]}, DType::f32,
                      normal(0.1));
        op.residual = rig.in("residual", y, DType::f32, normal());
        op.gamma = rig.in("gamma", vector, DType::f32, normal(0.3, 1));
        op.beta = rig.in("beta", vector, DType::f32, normal(0.3));
        op.running_mean = rig.in("running_mean", vector, DType::f32, normal());
        op.running_var = rig.in("running_var", vector, DType::f32, uniform(0.5, 2));
        op.relu = true;
        op.window = window;
        op.weights_version = OpRig::new_weights_version();
        op.y = rig.out("together", y, DType::f32);
        rig.run(op);
        ConvForward convolution = op.convolution();
        convolution.y = rig.out("convolution", y, DType::f32);
        rig.run(convolution);
        BatchNormInfer normalization = op.normalization();
        normalization.x = convolution.y;
        normalization.y = rig.out("one by one", y, DType::f32);
        rig.run(normalization);
        const auto results = rig.results();
        CHECK(results[0].bytes == results[2].bytes);
        CHECK(results[1].bytes != results[2].bytes);
      }
  });
}
