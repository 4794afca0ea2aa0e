// Every algorithm for convolutions, of every instruction set that this machine has, in isolation: also on
// geometries for which CpuBackend would choose another, against the reference in f64, with poisoned outputs and
// scratch, and with the same bits from any number of threads.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "core/rng.h"
#include "cpu/kernels.h"
#include "reference/reference_backend.h"

using namespace laban;
using namespace laban::cpu;

namespace {

struct Case {
  Shape x;
  int64_t outputs;
  Window window;
};

/// Numbers in float, and the same in double.
struct Numbers {
  Numbers(Shape shape, uint64_t stream) : Numbers(shape) {
    Rng rng(7, Purpose::test, stream);
    for (size_t i = 0; i < wide.size(); ++i) {
      narrow[i] = static_cast<float>(rng.normal());
      wide[i] = static_cast<double>(narrow[i]);
    }
  }
  explicit Numbers(Shape shape)
      : shape(shape), narrow(static_cast<size_t>(shape.count())), wide(static_cast<size_t>(shape.count())) {}

  Tensor f32() { return {narrow.data(), shape}; }
  Tensor f64() { return {wide.data(), shape}; }
  /// The largest difference, in units of the RMS of the double numbers.
  double error() const {
    double largest = 0, squares = 0;
    for (size_t i = 0; i < wide.size(); ++i) {
      const double difference = std::abs(static_cast<double>(narrow[i]) - wide[i]);
      if (!(difference <= largest)) largest = difference;  // NaN gets in
      squares += wide[i] * wide[i];
    }
    return largest / std::sqrt(squares / static_cast<double>(wide.size()));
  }
  void poison() { std::memset(narrow.data(), 0xFF, narrow.size() * sizeof(float)); }

  Shape shape;
  std::vector<float> narrow;
  std::vector<double> wide;
};

/// Scratch of exactly the size asked for, full of NaN, with a guard band behind it.
class PoisonedScratch {
 public:
  explicit PoisonedScratch(size_t bytes) : bytes_(bytes), memory_(bytes + 2 * kGuard, std::byte{0xFF}) {}
  Scratch get() {
    void* at = memory_.data();
    size_t room = memory_.size();
    start_ = static_cast<std::byte*>(std::align(64, bytes_, at, room));
    return {start_, bytes_};
  }
  bool guard_holds() const {
    for (size_t i = 0; i < kGuard; ++i)
      if (start_[bytes_ + i] != std::byte{0xFF}) return false;
    return true;
  }

 private:
  static constexpr size_t kGuard = 64;
  size_t bytes_;
  std::vector<std::byte> memory_;
  std::byte* start_ = nullptr;
};

template <class Op>
void run_reference(const Op& op) {
  ReferenceBackend backend;
  std::vector<std::byte> scratch(backend.scratch_bytes(op) + 1);
  backend.run(op, {scratch.data(), scratch.size() - 1});
}

Shape weights_shape(const Case& c) {
  return {c.outputs, c.x.c, c.window.kernel[0], c.window.kernel[1], c.window.kernel[2]};
}

ConvGeometry geometry_of(const Case& c) { return {c.x, c.window.output(c.x, c.outputs), c.window}; }

/// What a kernel writes, by so many threads.
std::vector<float> transformed(const ConvTransform& kernel, const Numbers& in, const Numbers& weights,
                               const float* bias, const Shape& out_shape, int threads) {
  ThreadPool pool(threads);
  Numbers out(out_shape);
  out.poison();
  PoisonedScratch packed(kernel.packed_bytes()),
      scratch(kernel.scratch_bytes(threads));  // 64-byte alignment, as promised
  const Scratch packed_at = packed.get(), scratch_at = scratch.get();
  kernel.pack(weights.narrow.data(), DType::f32, packed_at.data, pool);
  kernel.run({in.narrow.data(), packed_at.data, bias, out.narrow.data(), false, nullptr}, scratch_at, pool);
  CHECK(packed.guard_holds());
  CHECK(scratch.guard_holds());
  return out.narrow;
}

/// Slack in units of the RMS, as in test_op_cases.cpp: 8e-6 for direct sums and F(2, 3). F(4, 3) along one axis
/// errs up to twice as much, along two up to four times (docs/cpu-backend.md).
double tolerance(const char* algorithm) {
  const std::string_view name = algorithm;
  if (name == "Winograd F(4x4, 3x3)") return 4 * 8e-6;
  if (name == "Winograd F(4x2, 3x3)" || name == "Winograd F(4, 3)") return 2 * 8e-6;
  return 8e-6;
}

const Window kSpatial{{1, 3, 3}, {1, 1, 1}, {0, 1, 1}}, kFull{{3, 3, 3}, {1, 1, 1}, {1, 1, 1}},
    kTemporal{{3, 1, 1}, {1, 1, 1}, {1, 0, 0}};
const Case kCases[] = {
    {{1, 16, 1, 4, 4}, 16, kSpatial},
    {{2, 3, 1, 5, 7}, 5, kSpatial},
    {{1, 45, 2, 1, 1}, 33, kSpatial},
    {{2, 64, 1, 9, 6}, 230, kSpatial},
    {{1, 144, 1, 6, 5}, 64, kSpatial},
    {{1, 20, 3, 5, 6}, 17, kFull},
    {{2, 48, 2, 7, 7}, 40, kFull},
    {{1, 8, 1, 24, 26}, 9, kSpatial},
    {{1, 16, 1, 6, 7}, 16, {{1, 3, 3}, {1, 1, 1}, {0, 0, 2}}},  // no padding; more than half the kernel
    {{1, 17, 5, 6, 4}, 21, {{3, 3, 3}, {2, 1, 1}, {1, 1, 1}}},  // frames apart
    {{1, 45, 4, 6, 5}, 64, kTemporal},
    {{2, 70, 1, 5, 5}, 33, kTemporal},  // all but the middle tap see padding only
    {{1, 33, 9, 3, 3}, 130, kTemporal},
    {{1, 144, 5, 3, 3}, 31, {{3, 1, 1}, {2, 1, 1}, {1, 0, 0}}},
    {{1, 17, 5, 9, 8}, 20, {{3, 3, 3}, {2, 2, 2}, {1, 1, 1}}},
    {{2, 33, 2, 5, 4}, 7, {{1, 1, 1}, {2, 2, 2}, {0, 0, 0}}},
    {{1, 16, 1, 30, 19}, 6, {{1, 7, 7}, {1, 2, 2}, {0, 3, 3}}},
    {{1, 3, 4, 13, 14}, 45, {{1, 7, 7}, {1, 2, 2}, {0, 3, 3}}},  // stems
    {{2, 3, 3, 9, 10}, 64, {{3, 7, 7}, {1, 2, 2}, {1, 3, 3}}},
    {{1, 1, 3, 9, 40},
     5,
     {{2, 1, 6}, {1, 3, 4}, {0, 0, 1}}},  // the last places of a line are never looked at
    {{1, 64, 2, 4, 300}, 5, kSpatial},    // a row longer than a block
    {{1, 16, 1, 2, 2}, 3, {{1, 7, 7}, {1, 1, 1}, {0, 3, 3}}},  // most taps see padding only
    {{1, 600, 1, 3, 3}, 40, {}},                               // sums of sums
};

std::vector<Isa> isas() {
  for (const Isa isa : compiled_isas())
    if (!can_run(isa)) MESSAGE("not run: ", std::string(name_of(isa)), ", this machine lacks ", lacking(isa));
  return runnable_isas();
}

}  // namespace

TEST_CASE("every algorithm's forward convolution and gradient of the input") {
  for (const Isa isa : isas())
    for (const Case& c : kCases)
      for (const ConvDirection direction : {ConvDirection::forward, ConvDirection::data}) {
        const bool forward = direction == ConvDirection::forward;
        const Shape y = c.window.output(c.x, c.outputs);
        Numbers in(forward ? c.x : y, 1), weights(weights_shape(c), 2), bias(Shape::vector(c.outputs), 3);
        Numbers out(forward ? y : c.x);
        if (forward)
          run_reference(ConvForward{in.f64(), weights.f64(), bias.f64(), out.f64(), c.window});
        else
          run_reference(ConvBackwardData{in.f64(), weights.f64(), out.f64(), c.window});
        for (const bool fold : {false, true}) {
          const ConvGeometry geometry = fold ? folded(geometry_of(c)) : geometry_of(c);
          for (const auto& kernel :
               kernels_for(isa).conv_transforms(direction, geometry, DType::f32, false)) {
            INFO(std::string(name_of(isa)), ", ", kernel->algorithm(), ": ", c.x, " -> ", c.outputs, ", ",
                 c.window, forward ? "" : ", data", fold ? ", folded" : "");
            const float* b = forward ? bias.narrow.data() : nullptr;
            out.narrow = transformed(*kernel, in, weights, b, out.shape, 1);
            CHECK(out.error() <= tolerance(kernel->algorithm()));
            for (const int threads : {2, 3, 5})
              CHECK(transformed(*kernel, in, weights, b, out.shape, threads) == out.narrow);
          }
        }
      }
}

TEST_CASE("every algorithm's gradient of the weights") {
  for (const Isa isa : isas())
    for (const Case& c : kCases) {
      const Shape y = c.window.output(c.x, c.outputs);
      Numbers x(c.x, 1), dy(y, 2), dw(weights_shape(c), 3);  // dw is not zero: gradients are added
      const std::vector<float> before = dw.narrow;
      run_reference(ConvBackwardWeights{x.f64(), dy.f64(), dw.f64(), {}, c.window});
      for (const bool fold : {false, true}) {
        const ConvGeometry geometry = fold ? folded(geometry_of(c)) : geometry_of(c);
        for (const auto& kernel : kernels_for(isa).conv_gradients(geometry, DType::f32)) {
          INFO(std::string(name_of(isa)), ", ", kernel->algorithm(), ": ", c.x, " -> ", c.outputs, ", ",
               c.window, fold ? ", folded" : "");
          const auto run = [&](int threads) {
            ThreadPool pool(threads);
            PoisonedScratch scratch(kernel->scratch_bytes(threads));
            std::vector<float> sums = before;
            kernel->run(x.narrow.data(), dy.narrow.data(), sums.data(), scratch.get(), pool);
            CHECK(scratch.guard_holds());
            return sums;
          };
          dw.narrow = run(1);
          CHECK(dw.error() <= tolerance(kernel->algorithm()));
          for (const int threads : {2, 3, 5}) CHECK(run(threads) == dw.narrow);
        }
      }
    }
}

TEST_CASE("a kernel with one wrong tap is caught") {
  // The measure of these tests must be able to fail: the reference sees another weight in one of 9*16 taps.
  const Case c{{1, 16, 1, 6, 6}, 16, kSpatial};
  Numbers x(c.x, 1), weights(weights_shape(c), 2), y(c.window.output(c.x, c.outputs));
  const auto kernels =
      kernels_for(best_isa())
          .conv_transforms(ConvDirection::forward, folded(geometry_of(c)), DType::f32, false);
  for (const auto& kernel : kernels) {
    INFO(kernel->algorithm());
    y.narrow = transformed(*kernel, x, weights, nullptr, y.shape, 1);
    Numbers wrong = weights;
    wrong.wide[5] += 0.5;
    run_reference(ConvForward{x.f64(), wrong.f64(), {}, y.f64(), c.window});
    CHECK(y.error() > 100 * tolerance(kernel->algorithm()));
  }
}
