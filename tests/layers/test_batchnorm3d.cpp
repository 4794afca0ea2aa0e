// Batch statistics, running statistics and modes, against values computed by hand.
#include <doctest/doctest.h>

#include <cmath>

#include "layers/batchnorm3d.h"
#include "layers/dropout.h"
#include "reference/reference_backend.h"

using namespace laban;

namespace {

/// Runs `layer` once over x in `mode` and returns y.
std::vector<double> once(Layer& layer, const Shape& shape, std::vector<double> x, Mode mode,
                         int64_t step = 0) {
  ReferenceBackend backend;
  Arena arena(backend);
  std::vector<double> result;
  for (const bool dry : {true, false}) {
    arena.begin_pass();
    {
      StepContext ctx{.backend = backend,
                      .arena = arena,
                      .mode = mode,
                      .compute = DType::f64,
                      .seed = 9,
                      .step = Tensor(&step, Shape::vector(1))};
      const Value y = layer.forward(ctx, Value::external(Tensor(x.data(), shape)));
      layer.clear_saved();
      if (!dry) result.assign(y.tensor().as<double>(), y.tensor().as<double>() + y.shape().count());
    }
    if (dry) arena.commit();
  }
  return result;
}

}  // namespace

TEST_CASE("running statistics: 0.9 of the old and 0.1 of the batch's, the variance unbiased") {
  ReferenceBackend backend;
  BatchNorm3d norm("bn", {.channels = 1});
  ParameterList list;
  norm.collect(list);
  ParameterStore store(backend, DType::f64, list);
  store.initialize(1);
  // 1 2 3 6: mean 3, biased variance 14/4 = 3.5, unbiased 14/3.
  const Shape shape{2, 1, 1, 2, 1};
  const auto y = once(norm, shape, {1, 2, 3, 6}, Mode::train);
  CHECK(y[3] == doctest::Approx(3 / std::sqrt(3.5 + 1e-5)).epsilon(1e-12));
  CHECK(store.read(*list.statistics[0])[0] == doctest::Approx(0.3).epsilon(1e-12));
  CHECK(store.read(*list.statistics[1])[0] == doctest::Approx(0.9 + 0.1 * 14 / 3).epsilon(1e-12));
  // The dry run before it has not moved them, and neither do the other modes.
  const double mean = 0.3, variance = 0.9 + 1.4 / 3;
  for (const Mode mode : {Mode::evaluate, Mode::frozen}) {
    const auto z = once(norm, shape, {1, 2, 3, 6}, mode);
    CHECK(z[0] == doctest::Approx((1 - mean) / std::sqrt(variance + 1e-5)).epsilon(1e-12));
    CHECK(store.read(*list.statistics[0])[0] == doctest::Approx(0.3).epsilon(1e-12));
  }
}

TEST_CASE("dropout keeps the expected share, scaled, and draws by step") {
  DropoutLayer dropout("dropout", 0.3);
  const Shape shape = Shape::matrix(10, 1000);
  const std::vector<double> ones(10000, 1.0);
  const auto y = once(dropout, shape, ones, Mode::train, 1);
  int kept = 0;
  for (const double v : y) {
    CHECK((v == 0 || v == doctest::Approx(1 / 0.7)));
    kept += v != 0;
  }
  CHECK(std::abs(kept - 7000) < 5 * std::sqrt(10000 * 0.3 * 0.7));
  CHECK(once(dropout, shape, ones, Mode::train, 1) == y);
  CHECK(once(dropout, shape, ones, Mode::train, 2) != y);
  CHECK(once(dropout, shape, ones, Mode::evaluate, 1) == ones);
  CHECK(once(dropout, shape, ones, Mode::frozen, 1) == ones);
  DropoutLayer other("another", 0.3);
  CHECK(once(other, shape, ones, Mode::train, 1) != y);
}
