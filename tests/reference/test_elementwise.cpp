// Elementwise ops, dropout and the parameter-free shortcut, on paper.
#include <doctest/doctest.h>

#include <cmath>

#include "math/dropout.h"
#include "reference/reference_backend.h"
#include "support/host_tensor.h"

using namespace laban;
using namespace laban::test;

TEST_CASE("relu: zero has derivative zero, NaN is not hidden") {
  const Shape shape = Shape::vector(5);
  HostTensor x(shape, {-2, 0, 3, NAN, -0.0}), y(shape), dy(shape, {10, 20, 30, 40, 50}), dx(shape);
  ReferenceBackend backend;
  run_op(backend, ReluForward{x, y});
  CHECK(y.distance({0, 0, 3, NAN, 0}) == 0);
  run_op(backend, ReluBackward{y, dy, dx});
  CHECK(dx.values() == std::vector<double>{0, 0, 30, 0, 0});
}

TEST_CASE("accumulate and set_zero") {
  HostTensor from(Shape::vector(3), {1, 2, 3}), into(Shape::vector(3), {10, 20, 30});
  ReferenceBackend backend;
  run_op(backend, Accumulate{from, into});
  CHECK(into.values() == std::vector<double>{11, 22, 33});
  CHECK(from.values() == std::vector<double>{1, 2, 3});
  run_op(backend, SetZero{into});
  CHECK(into.values() == std::vector<double>{0, 0, 0});
}

TEST_CASE("cast rounds to nearest, ties to even") {
  // bf16 has 8 significant bits: between 256 and 512 it holds the even integers.
  HostTensor from(Shape::vector(6), {257, 259, 258.9, -257, 1e40, INFINITY}),
      to(Shape::vector(6), DType::bf16);
  ReferenceBackend backend;
  run_op(backend, Cast{from, to});
  CHECK(to.values() == std::vector<double>{256, 260, 258, -256, INFINITY, INFINITY});
  HostTensor single(Shape::vector(2), {16777217, 0.1}), as_float(Shape::vector(2), DType::f32);
  run_op(backend, Cast{single, as_float});
  CHECK(as_float.values() == std::vector<double>{16777216, 0.100000001490116119384765625});
}

TEST_CASE("dropout keeps what the documented word of Philox says") {
  const int64_t count = 4099;  // not a multiple of 4
  const uint64_t seed = 0x0123456789abcdef, stream = 0xfedcba9876543210;
  const double p = 0.3;
  HostTensor x(Shape::vector(count)), y(Shape::vector(count), DType::f64, NAN);
  for (int64_t i = 0; i < count; ++i) x.set(i, static_cast<double>(i + 1));
  ReferenceBackend backend;
  run_op(backend, Dropout{x, y, p, seed, stream});
  int kept = 0;
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t word =
        philox({{static_cast<uint32_t>(i / 4), 0, 0x76543210, 0xfedcba98}}, seed)[static_cast<int>(i % 4)];
    const bool keep = word / 4294967296.0 >= p;
    kept += keep;
    CHECK(y[i] == (keep ? x[i] / 0.7 : 0.0));
  }
  CHECK(std::abs(kept - 0.7 * count) < 5 * std::sqrt(count * 0.3 * 0.7));

  HostTensor other(Shape::vector(count));
  run_op(backend, Dropout{x, other, p, seed, stream + 1});
  CHECK(other.values() != y.values());
}

TEST_CASE("dropout with a step uses that step's stream") {
  const uint64_t seed = 3, stream = 5;
  HostTensor x(Shape::vector(400), DType::f64, 1), y(Shape::vector(400)), other(Shape::vector(400));
  ReferenceBackend backend;
  int64_t step = (int64_t{1} << 33) + 7;
  const Tensor at(&step, Shape::vector(1));
  run_op(backend, Dropout{x, y, 0.5, seed, stream, at});
  const PhiloxBlock mixed = philox({{7, 2, 5, 0}}, ~uint64_t{3});
  run_op(backend, Dropout{x, other, 0.5, seed, mixed[0] | (uint64_t{mixed[1]} << 32)});
  CHECK(y.values() == other.values());
  ++step;
  run_op(backend, Dropout{x, other, 0.5, seed, stream, at});
  CHECK(y.values() != other.values());
}

TEST_CASE("dropout keeps a word that equals p exactly") {
  CHECK(dropout_keeps(0, 0.0));
  CHECK(dropout_keeps(0x80000000, 0.5));
  CHECK(!dropout_keeps(0x7fffffff, 0.5));
  CHECK(!dropout_keeps(0xffffffff, 1.0));
}

TEST_CASE("dropout at its ends: p = 0 keeps everything, p = 1 nothing") {
  HostTensor x(Shape::vector(9), DType::f64, 3), y(Shape::vector(9), DType::f64, NAN);
  ReferenceBackend backend;
  run_op(backend, Dropout{x, y, 0, 1, 2});
  CHECK(y.values() == x.values());
  run_op(backend, Dropout{x, y, 1, 1, 2});
  CHECK(y.values() == std::vector<double>(9, 0.0));
}

TEST_CASE("subsample: every stride-th place, zeros for new channels; and back") {
  // Frames 0 and 2, every row, columns 0 and 3 of 3 x 4 pictures numbered from 1; a second channel that x
  // lacks.
  const Shape xs{1, 1, 3, 3, 4}, ys{1, 2, 2, 3, 2};
  const std::vector<double> taken = {1, 4, 5, 8, 9, 12, 25, 28, 29, 32, 33, 36};
  HostTensor x(xs), y(ys, DType::f64, NAN), dy(ys, DType::f64, -1), dx(xs, DType::f64, NAN);
  for (int64_t i = 0; i < xs.count(); ++i) x.set(i, static_cast<double>(i + 1));
  std::vector<double> expected_y, expected_dx(static_cast<size_t>(xs.count()));
  for (size_t i = 0; i < taken.size(); ++i) {
    expected_y.insert(expected_y.end(), {taken[i], 0});
    dy.set(static_cast<int64_t>(2 * i), 10 * taken[i]);
    expected_dx[static_cast<size_t>(taken[i]) - 1] = 10 * taken[i];
  }
  ReferenceBackend backend;
  run_op(backend, SubsampleForward{x, y, {2, 1, 3}});
  CHECK(y.values() == expected_y);
  run_op(backend, SubsampleBackward{dy, dx, {2, 1, 3}});
  CHECK(dx.values() == expected_dx);
}
