// ParameterStore: initialization, padding, host copies.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "layers/conv3d.h"
#include "layers/linear.h"
#include "layers/parameter.h"
#include "reference/reference_backend.h"

using namespace laban;

namespace {

class PaddingBackend : public ReferenceBackend {
 public:
  int64_t channel_multiple(DType) const override { return 8; }
};

Parameter made(const std::string& name, const Shape& shape, Initializer::Kind kind, double value = 0) {
  Parameter p;
  p.name = name;
  p.shape = shape;
  p.init = {kind, value};
  p.pad_n = shape.t > 1;
  return p;
}

struct Moments {
  double mean = 0, deviation = 0;
};
Moments moments(const std::vector<double>& values) {
  const double n = static_cast<double>(values.size());
  Moments m{std::accumulate(values.begin(), values.end(), 0.0) / n, 0};
  for (const double v : values) m.deviation += (v - m.mean) * (v - m.mean);
  m.deviation = std::sqrt(m.deviation / n);
  return m;
}

}  // namespace

TEST_CASE("initialization has the distribution that it says") {
  ReferenceBackend backend;
  Parameter conv = made("conv", {64, 32, 3, 3, 3}, Initializer::Kind::kaiming_normal_fan_out);
  Parameter fc = made("fc", Shape::matrix(400, 512), Initializer::Kind::normal, 0.01);
  Parameter gamma = made("gamma", Shape::vector(10), Initializer::Kind::constant, 1);
  Statistic var;
  var.name = "var";
  var.shape = Shape::vector(5);
  var.initial = 1;
  ParameterStore store(backend, DType::f32, {{&conv, &fc, &gamma}, {&var}});
  store.initialize(7);
  const Moments c = moments(store.read(store.weights(), conv)), f = moments(store.read(store.weights(), fc));
  const double expected = std::sqrt(2.0 / (64 * 27));
  CHECK(std::abs(c.mean) < 5 * expected / std::sqrt(64 * 32 * 27.0));
  CHECK(c.deviation == doctest::Approx(expected).epsilon(0.015));  // 5 sigma
  CHECK(std::abs(f.mean) < 5 * 0.01 / std::sqrt(400 * 512.0));
  CHECK(f.deviation == doctest::Approx(0.01).epsilon(0.008));
  CHECK(store.read(store.weights(), gamma) == std::vector<double>(10, 1.0));
  CHECK(store.read(var) == std::vector<double>(5, 1.0));
  CHECK(store.parameter_count() == 64 * 32 * 27 + 400 * 512 + 10);
}

TEST_CASE("a parameter's start depends on its name and the seed alone") {
  ReferenceBackend plain;
  PaddingBackend padding;
  const Shape shape{5, 3, 3, 2, 2};
  const auto start = [&](Backend& backend, bool company, uint64_t seed, const char* name) {
    Parameter first = made("first", {9, 9, 3, 3, 3}, Initializer::Kind::kaiming_normal_fan_out);
    Parameter conv = made(name, shape, Initializer::Kind::kaiming_normal_fan_out);
    ParameterList list{{&conv}, {}};
    if (company) list.parameters.insert(list.parameters.begin(), &first);
    ParameterStore store(backend, DType::f32, list);
    store.initialize(seed);
    return store.read(store.weights(), conv);
  };
  const auto want = start(plain, false, 3, "conv");
  CHECK(start(plain, true, 3, "conv") == want);
  CHECK(start(padding, true, 3, "conv") == want);
  CHECK(start(plain, false, 4, "conv") != want);
  CHECK(start(plain, false, 3, "conw") != want);
}

TEST_CASE("host copies are in PyTorch's order, padding is zero and stays so") {
  PaddingBackend backend;
  Parameter conv = made("conv", {3, 2, 2, 1, 2}, Initializer::Kind::constant, 5);
  Statistic mean;
  mean.name = "mean";
  mean.shape = Shape::vector(3);
  mean.initial = 2;
  ParameterStore store(backend, DType::f32, {{&conv}, {&mean}});
  store.initialize(1);
  CHECK(conv.storage == Shape{8, 8, 2, 1, 2});
  CHECK(mean.storage == Shape::vector(8));
  std::vector<double> values(24);
  std::iota(values.begin(), values.end(), 1.0);
  store.write(store.weights(), conv, values);
  CHECK(store.read(store.weights(), conv) == values);
  // PyTorch's (o, i, t, h, w) = (2, 1, 0, 0, 1) is number ((2*2 + 1)*2 + 0)*2 + 1 = 21, so it holds 22.
  CHECK(conv.value.as<float>()[conv.storage.index(2, 0, 0, 1, 1)] == 22);
  double sum = 0;
  for (int64_t i = 0; i < store.weights().count(); ++i)
    sum += static_cast<double>(store.weights().as<float>()[i]);
  CHECK(sum == 24 * 25 / 2);
  store.write(mean, std::vector<double>{1, 2, 3});
  CHECK(store.read(mean) == std::vector<double>{1, 2, 3});
  CHECK(mean.value.as<float>()[3] == 0);
  // The same place in another arena of the same layout, such as an optimizer's moments.
  std::vector<float> moments(static_cast<size_t>(store.weights().count()), 0);
  const Tensor flat(moments.data(), Shape::vector(store.weights().count()));
  store.write(flat, conv, values);
  CHECK(store.read(flat, conv) == values);
  CHECK(std::equal(moments.begin(), moments.end(), store.weights().as<float>()));
}

TEST_CASE("every parameter is 64-byte aligned, in the masters and in the bf16 copy") {
  ReferenceBackend backend;
  Parameter a = made("a", Shape::vector(3), Initializer::Kind::constant),
            b = made("b", Shape::vector(33), Initializer::Kind::constant),
            c = made("c", Shape::vector(1), Initializer::Kind::constant);
  ParameterStore store(backend, DType::bf16, {{&a, &b, &c}, {}});
  for (const Parameter* p : {&a, &b, &c})
    for (const Tensor& t : {p->value, p->grad, p->working})
      CHECK(reinterpret_cast<uintptr_t>(t.data) % 64 == 0);
  CHECK(store.offset_of(c) == 96);
}

TEST_CASE("the bf16 copy follows the masters when it is told to, and versions count") {
  ReferenceBackend backend;
  Parameter p = made("p", Shape::vector(4), Initializer::Kind::constant, 1);
  ParameterStore store(backend, DType::bf16, {{&p}, {}});
  store.initialize(1);
  CHECK(static_cast<float>(p.working.as<BFloat16>()[0]) == 1);
  const uint64_t version = store.version();
  store.write(store.weights(), p, std::vector<double>{3, 3, 3, 3});
  CHECK(static_cast<float>(p.working.as<BFloat16>()[0]) == 1);
  store.weights_changed(true);
  CHECK(static_cast<float>(p.working.as<BFloat16>()[0]) == 3);
  CHECK(store.version() > version);
}

TEST_CASE("what does not fit is refused") {
  ReferenceBackend backend;
  Parameter p = made("fc.weight", Shape::matrix(10, 4), Initializer::Kind::constant), twin = p;
  CHECK_THROWS_AS(ParameterStore(backend, DType::f32, {{&p, &twin}, {}}), std::logic_error);
  CHECK_THROWS_AS(ParameterStore(backend, DType::u8, {{&p}, {}}), Error);
  ParameterStore store(backend, DType::f32, {{&p}, {}});
  CHECK_THROWS_WITH_AS(store.write(store.weights(), p, std::vector<double>(400 * 4)),
                       doctest::Contains("fc.weight has 40 values, got 1600"), Error);
}
