// Elementwise kernels, bias and optimizers, emulated: every tail, addresses that are not multiples of 16
// bytes, more elements than one turn of a grid takes.
#include <algorithm>
#include <cmath>
#include <limits>

#include "cuda/kernels/optimizer.h"
#include "emulation/kernel_checks.h"
#include "support/host_tensor.h"

using namespace laban;
using namespace laban::test;

namespace {

Shape counted(int64_t count) { return Shape::vector(count); }

/// `count` elements that begin `offset` elements into a longer tensor.
Tensor part_of(const Tensor& whole, int64_t offset, int64_t count) {
  std::byte* begin = static_cast<std::byte*>(whole.data) + static_cast<size_t>(offset) * size_of(whole.dtype);
  return Tensor(begin, whole.dtype, counted(count), whole.device);
}

}  // namespace

TEST_CASE("emulated kernels: every tail of a flat tensor, at any address") {
  // Around a pack, a warp's packs, a thread's last pack, a block: 4 packs x 256 threads x 4 or 8 elements.
  for (const int64_t count :
       {1, 3, 4, 5, 7, 8, 9, 31, 33, 255, 1027, 3073, 4095, 4096, 4097, 6151, 8192, 8203})
    for (const int64_t offset : {0, 1}) {
      const Shape whole = counted(count + offset);
      check_emulated(text("relu of ", count, " from ", offset), [&](OpRig& rig) {
        const Tensor x = rig.inout("x", whole, rig.compute(), normal());
        const Tensor y = part_of(x, offset, count);
        rig.run(ReluForward{y, y});
      });
      check_emulated(text("relu backward of ", count, " from ", offset), [&](OpRig& rig) {
        const Tensor y = rig.in("y", whole, rig.compute(), relu_of_normal());
        const Tensor dy = rig.in("dy", whole, rig.compute(), normal());
        const Tensor dx = rig.out("dx", counted(count), rig.compute());
        rig.run(ReluBackward{part_of(y, offset, count), part_of(dy, offset, count), dx});
      });
      check_emulated(text("accumulate of ", count, " from ", offset), [&](OpRig& rig) {
        const Tensor from = rig.in("from", counted(count), rig.compute(), normal());
        const Tensor into = rig.inout("into", whole, rig.compute(), normal());
        rig.run(Accumulate{from, part_of(into, offset, count)});
      });
      check_emulated(text("cast of ", count, " from ", offset), [&](OpRig& rig) {
        const Tensor from = rig.in("from", whole, rig.master(), normal());
        rig.run(Cast{part_of(from, offset, count), rig.out("to", counted(count), rig.compute())});
      });
      check_emulated(text("sum of squares of ", count, " from ", offset), [&](OpRig& rig) {
        const Tensor x = rig.in("x", whole, rig.master(), normal());
        rig.run(SumOfSquares{part_of(x, offset, count), rig.out("result", counted(1), DType::f64)});
      });
    }
}

TEST_CASE("emulated kernels: what lies beyond the end stays as it is") {
  // Guard bands are NaN, and most maps would write NaN where they read it: here it is a number.
  emulation::EmulatedBackend backend;
  for (const DType dtype : {DType::f32, DType::bf16})
    for (const int64_t count : {1, 15, 4095, 4096, 4097, 8191, 8192}) {
      HostTensor x(counted(count + 16), dtype, -1);
      const Tensor begin = part_of(x, 0, count);
      run_op(backend, ReluForward{begin, begin});
      std::vector<double> expected(static_cast<size_t>(count + 16), -1);
      std::fill(expected.begin(), expected.begin() + count, 0);
      CHECK(x.values() == expected);
    }
}

TEST_CASE("emulated kernels: a sum of squares neither overflows nor hides a NaN") {
  emulation::EmulatedBackend backend;
  HostTensor x(counted(5000), DType::f32, 1e30), result(counted(1));
  run_op(backend, SumOfSquares{x, result});
  CHECK(result[0] == doctest::Approx(5000e60).epsilon(1e-7));
  x.set(4321, std::nan(""));
  run_op(backend, SumOfSquares{x, result});
  CHECK(std::isnan(result[0]));
  HostTensor many(counted(3000001), DType::f32, 1);  // several turns of the grid
  run_op(backend, SumOfSquares{many, result});
  CHECK(result[0] == 3000001);
}

TEST_CASE("emulated kernels: ReLU keeps NaN") {
  emulation::EmulatedBackend backend;
  for (const DType dtype : {DType::f32, DType::bf16}) {
    HostTensor x(counted(40), dtype, -1);
    x.set(33, std::nan(""));
    run_op(backend, ReluForward{x, x});
    CHECK(std::isnan(x[33]));
    CHECK(x[32] == 0);
  }
}

TEST_CASE("emulated kernels: biases and their gradients") {
  for (const Shape shape : {Shape{2, 45, 3, 5, 7}, Shape{3, 64, 2, 9, 9}, Shape::matrix(5, 10),
                            Shape{1, 400, 1, 1, 1}, Shape{1, 921, 1, 2, 3}})
    for (const DType dtype : {DType::f32, DType::bf16}) {
      INFO(shape, " ", dtype);
      Rng rng(2, Purpose::test);
      HostTensor x(shape, dtype), bias(Shape::vector(shape.c), DType::f32),
          sums(Shape::vector(shape.c), DType::f32);
      for (int64_t i = 0; i < shape.count(); ++i) x.set(i, rng.normal());
      for (int64_t c = 0; c < shape.c; ++c) bias.set(c, rng.normal());
      std::vector<double> expected_sums(static_cast<size_t>(shape.c)), expected = x.values();
      for (size_t i = 0; i < expected.size(); ++i) {
        const size_t c = i % static_cast<size_t>(shape.c);
        expected_sums[c] += expected[i];
        expected[i] = rounded(expected[i] + bias[static_cast<int64_t>(c)], dtype);
      }
      for (int64_t c = 0; c < shape.c; ++c) {
        sums.set(c, rng.normal());
        expected_sums[static_cast<size_t>(c)] += sums[c];
      }
      const cuda::AccumulateColumnSums op{x, sums};
      std::vector<std::byte> scratch(cuda::scratch_bytes(op), std::byte{0xFF});
      cuda::run(op, Scratch{scratch.data(), scratch.size()}, nullptr);
      // Partial sums are about sqrt(rows) large, and each of some ten additions rounds them by 6e-8.
      CHECK(sums.distance(expected_sums) < 1e-6 * std::sqrt(static_cast<double>(shape.pixels())));
      cuda::run(cuda::AddBias{x, bias}, nullptr);
      CHECK(x.distance(expected) < (dtype == DType::f32 ? 1e-6 : 1e-12));
    }
}

TEST_CASE("emulated optimizers: more segments than a launch takes, more chunks than a grid") {
  // Odd segments of every length, some empty, a gap after each seventh; then one that fills the grid twice.
  constexpr int64_t kMany = 2 * cuda::kManyBlocks * cuda::kChunk;
  std::vector<ParameterSegment> segments;
  int64_t at = 0;
  for (int i = 0; i < 3 * cuda::SegmentTable::kMost; ++i) {
    const int64_t length = i % 11 == 0 ? 0 : 1 + i * 37 % 700;
    segments.push_back({at, at + length, 1.0 + i % 3, i % 2 * 1e-2});
    at += length + (i % 7 == 0 ? 5 : 0);
  }
  const auto flat = [](OpRig& rig, int64_t count, OptimizerCommon& common) {
    common.weights = rig.inout("weights", counted(count), rig.master(), normal());
    common.grads = rig.in("grads", counted(count), rig.master(), normal());
    common.control = rig.in("control", counted(2), DType::f64, sequence({0.05, 3}));
  };
  check_emulated("sgd", [&](OpRig& rig) {
    SgdStep op;
    flat(rig, at, op.common);
    op.common.segments = segments;
    op.velocity = rig.inout("velocity", counted(at), rig.master(), normal());
    op.momentum = 0.9;
    rig.run(op);
  });
  check_emulated("adam", [&](OpRig& rig) {
    AdamStep op;
    flat(rig, at, op.common);
    op.common.segments = segments;
    op.m = rig.inout("m", counted(at), rig.master(), normal());
    op.v = rig.inout("v", counted(at), rig.master(), uniform(0.1, 1));
    rig.run(op);
  });

  emulation::EmulatedBackend backend;
  HostTensor weights(counted(kMany), DType::f32, 1), velocity(counted(kMany), DType::f32, 0);
  HostTensor control(counted(2), {0.5, 1});
  const ParameterSegment all[] = {{1, kMany - 1, 1, 0}};
  SgdStep op;
  op.common.weights = weights;
  op.common.grads = weights;  // w -= lr*w
  op.common.control = control;
  op.common.segments = all;
  op.velocity = velocity;
  run_op(backend, op);
  bool right = weights[0] == 1 && weights[kMany - 1] == 1;
  for (int64_t i = 1; i < kMany - 1; ++i) right = right && weights[i] == 0.5 && velocity[i] == 1;
  CHECK(right);
}

TEST_CASE("emulated softmax: odd rows, one class, minus infinity") {
  emulation::EmulatedBackend backend;
  const double inf = std::numeric_limits<double>::infinity();
  HostTensor logits(Shape::matrix(5, 3),
                    {0, 0, 0, 1, -inf, 1, -inf, -inf, 4, 1000, 0, -1000, std::nan(""), 0, 0}, DType::f32);
  HostTensor p(Shape::matrix(5, 3), DType::f32, 7);
  run_op(backend, Softmax{logits, p});
  const double third = 1.0 / 3, nan = std::nan("");
  CHECK(p.distance({third, third, third, 0.5, 0, 0.5, 0, 0, 1, 1, 0, 0, nan, nan, nan}) < 1e-7);

  HostTensor one(Shape::matrix(2, 1), {3, -5}, DType::f32), labels(Shape::vector(2), {0, 0}, DType::i32);
  HostTensor loss(Shape::vector(2), DType::f32, 7), dlogits(Shape::matrix(2, 1), DType::f32, 7);
  run_op(backend, SoftmaxCrossEntropy{one, labels, loss, dlogits, 0, 1});
  CHECK(loss.distance({0, 0}) == 0);
  CHECK(dlogits.distance({0, 0}) == 0);
}
