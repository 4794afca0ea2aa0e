// The convolution kernels of src/cpu in isolation: on geometries for which CpuBackend would not use them (too
// few tiles or channels), against the reference in f64, with poisoned outputs and scratch.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "core/rng.h"
#include "cpu/weight_gradient.h"
#include "cpu/winograd.h"
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

// Sums in float err by about 1e-6 of their RMS (test_op_cases.cpp); Winograd's transforms add up to four
// numbers before and after, which at most doubles that. One wrong product shows as about 1/sqrt(600) = 4e-2.
constexpr double kTolerance = 1.6e-5;

double winograd_error(const Case& c, ConvDirection direction, int threads, bool with_bias) {
  const Shape y = c.window.output(c.x, c.outputs);
  const ConvGeometry geometry{c.x, y, c.window};
  const WinogradPlan plan = plan_winograd(direction, geometry, threads);
  const bool forward = direction == ConvDirection::forward;
  Numbers in(forward ? c.x : y, 1), weights(weights_shape(c), 2), bias(Shape::vector(c.outputs), 3);
  Numbers out(forward ? y : c.x);
  out.poison();
  // 64-byte alignment is the backend's promise to the kernels.
  PoisonedScratch transformed(static_cast<size_t>(winograd_weights_count(plan)) * sizeof(float));
  PoisonedScratch scratch(winograd_scratch_bytes(plan));
  float* packed = static_cast<float*>(transformed.get().data);
  transform_weights(plan, direction, weights.narrow.data(), DType::f32, packed);
  run_winograd(plan, in.f32(), packed, {.out = out.f32(), .bias = with_bias ? bias.narrow.data() : nullptr},
               scratch.get());
  CHECK(transformed.guard_holds());
  CHECK(scratch.guard_holds());
  if (forward)
    run_reference(
        ConvForward{in.f64(), weights.f64(), with_bias ? bias.f64() : Tensor(), out.f64(), c.window});
  else
    run_reference(ConvBackwardData{in.f64(), weights.f64(), out.f64(), c.window});
  return out.error();
}

template <class Add>
double gradient_error(const Case& c, size_t scratch_bytes, Add&& add) {
  const Shape y_shape = c.window.output(c.x, c.outputs);
  Numbers x(c.x, 1), dy(y_shape, 2), dw(weights_shape(c), 3);  // dw is not zero: gradients are added
  PoisonedScratch scratch(scratch_bytes);
  add(x.f32(), dy.f32(), dw.narrow.data(), scratch.get());
  CHECK(scratch.guard_holds());
  run_reference(ConvBackwardWeights{x.f64(), dy.f64(), dw.f64(), {}, c.window});
  return dw.error();
}

ConvGeometry geometry_of(const Case& c) { return {c.x, c.window.output(c.x, c.outputs), c.window}; }

const Window kSpatial{{1, 3, 3}, {1, 1, 1}, {0, 1, 1}}, kFull{{3, 3, 3}, {1, 1, 1}, {1, 1, 1}};
const Case kTiled[] = {
    {{1, 16, 1, 4, 4}, 16, kSpatial},
    {{2, 3, 1, 5, 7}, 5, kSpatial},
    {{1, 45, 2, 1, 1}, 33, kSpatial},
    {{2, 64, 1, 9, 6}, 230, kSpatial},
    {{1, 144, 1, 6, 5}, 64, kSpatial},
    {{1, 20, 3, 5, 6}, 17, kFull},
    {{2, 48, 2, 7, 7}, 40, kFull},
    {{1, 8, 1, 24, 26}, 9, kSpatial},
    {{1, 16, 1, 6, 7}, 16, {{1, 3, 3}, {1, 1, 1}, {0, 0, 2}}},  // no padding; more than half the kernel
};
const Case kStridedFrames{{1, 17, 5, 6, 4}, 21, {{3, 3, 3}, {2, 1, 1}, {1, 1, 1}}};

}  // namespace

TEST_CASE("Winograd's forward convolution and gradient of the input") {
  for (const Case& c : kTiled)
    for (const int threads : {1, 2, 5}) {
      INFO(c.x, " -> ", c.outputs, ", ", c.window, ", ", threads, " threads");
      CHECK(winograd_error(c, ConvDirection::forward, threads, false) <= kTolerance);
      CHECK(winograd_error(c, ConvDirection::forward, threads, true) <= kTolerance);
      CHECK(winograd_error(c, ConvDirection::data, threads, false) <= kTolerance);
    }
  CHECK(winograd_error(kStridedFrames, ConvDirection::forward, 2, true) <= kTolerance);
}

TEST_CASE("Winograd's gradient of the weights") {
  const auto check = [](const Case& c, int threads) {
    INFO(c.x, " -> ", c.outputs, ", ", c.window, ", ", threads, " threads");
    const WinogradPlan plan = plan_winograd(ConvDirection::weights, geometry_of(c), threads);
    CHECK(gradient_error(c, winograd_gradient_scratch_bytes(plan),
                         [&](const Tensor& x, const Tensor& dy, float* dw, Scratch scratch) {
                           add_winograd_gradient(plan, x, dy, dw, scratch);
                         }) <= kTolerance);
  };
  for (const Case& c : kTiled)
    for (const int threads : {1, 2, 5}) check(c, threads);
  check(kStridedFrames, 3);
}

TEST_CASE("the direct gradient of the weights") {
  const Case cases[] = {
      {{2, 20, 1, 5, 7}, 13, kSpatial},
      {{1, 45, 4, 6, 5}, 64, {{3, 1, 1}, {1, 1, 1}, {1, 0, 0}}},
      {{1, 144, 5, 3, 3}, 31, {{3, 1, 1}, {2, 1, 1}, {1, 0, 0}}},
      {{1, 17, 5, 9, 8}, 20, {{3, 3, 3}, {2, 2, 2}, {1, 1, 1}}},
      {{2, 33, 2, 5, 4}, 7, {{1, 1, 1}, {2, 2, 2}, {0, 0, 0}}},
      {{1, 16, 1, 30, 19}, 6, {{1, 7, 7}, {1, 2, 2}, {0, 3, 3}}},
      {{1, 64, 2, 4, 300}, 5, {{1, 3, 3}, {1, 1, 1}, {0, 1, 1}}},  // a row longer than a block
      {{1, 16, 1, 2, 2}, 3, {{1, 7, 7}, {1, 1, 1}, {0, 3, 3}}},    // most taps see padding only
  };
  for (const Case& c : cases)
    for (const int threads : {1, 2, 4}) {
      for (const bool fold : {false, true}) {
        INFO(c.x, " -> ", c.outputs, ", ", c.window, ", ", threads, " threads", fold ? ", folded" : "");
        const ConvGeometry geometry = fold ? folded(geometry_of(c)) : geometry_of(c);
        const WeightGradientPlan plan = plan_weight_gradient(geometry, threads);
        CHECK(gradient_error(c, plan.scratch_bytes(),
                             [&](const Tensor& x, const Tensor& dy, float* dw, Scratch scratch) {
                               add_weight_gradient(plan, x, dy, dw, scratch);
                             }) <= kTolerance);
      }
    }
}

TEST_CASE("a kernel with one wrong tap is caught") {
  // The measure of these tests must be able to fail: the reference sees another weight in one of 9*16 taps.
  const Case c{{1, 16, 1, 6, 6}, 16, kSpatial};
  Numbers x(c.x, 1), weights(weights_shape(c), 2), y(c.window.output(c.x, c.outputs));
  const WinogradPlan plan = plan_winograd(ConvDirection::forward, geometry_of(c), 1);
  PoisonedScratch transformed(static_cast<size_t>(winograd_weights_count(plan)) * sizeof(float));
  PoisonedScratch scratch(winograd_scratch_bytes(plan));
  float* packed = static_cast<float*>(transformed.get().data);
  transform_weights(plan, ConvDirection::forward, weights.narrow.data(), DType::f32, packed);
  run_winograd(plan, x.f32(), packed, {.out = y.f32()}, scratch.get());
  weights.wide[5] += 1e-2;
  run_reference(ConvForward{x.f64(), weights.f64(), {}, y.f64(), c.window});
  CHECK(y.error() > 10 * kTolerance);
}
