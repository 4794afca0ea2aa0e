#include "layers/parameter.h"
#include "train/optimizer.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/error.h"
#include "reference/reference_backend.h"

using namespace laban;

namespace {

/// Three parameters, as a network would have them, with chosen weights and gradients.
struct Rig {
  ReferenceBackend backend;
  Parameter kernel, gamma, head;
  std::unique_ptr<ParameterStore> store;
  std::vector<Parameter*> all{&kernel, &gamma, &head};

  explicit Rig(DType compute = DType::f64) {
    kernel.name = "stem.0.weight", kernel.shape = {2, 3, 1, 1, 1}, kernel.rank = 5;
    gamma.name = "stem.1.weight", gamma.shape = Shape::vector(2), gamma.rank = 1;
    head.name = "fc.weight", head.shape = Shape::matrix(3, 2), head.rank = 2;
    store = std::make_unique<ParameterStore>(backend, compute, ParameterList{all, {}});
    for (Parameter* p : all) store->write(store->weights(), *p, numbers(*p, 0.5));
    store->weights_changed(true);
  }
  /// Some numbers that differ from element to element.
  static std::vector<double> numbers(const Parameter& p, double shift) {
    std::vector<double> values(static_cast<size_t>(p.shape.count()));
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = std::sin(static_cast<double>(i) + shift * 10 + static_cast<double>(p.name.size()));
    return values;
  }
  void set_gradients(int step) {
    store->zero_gradients();
    for (Parameter* p : all) store->write(store->grads(), *p, numbers(*p, step));
  }
  std::vector<double> weights(const Parameter& p) const { return store->read(store->weights(), p); }
};

/// What PyTorch's documentation says that SGD and Adam(W) do, one number at a time, written without looking
/// at src.
struct Textbook {
  OptimizerSettings s;
  double lr_scale = 1, decay = 0;
  double w = 0, buffer = 0, m = 0, v = 0;
  int t = 0;

  void step(double g, double lr) {
    ++t;
    lr *= lr_scale;
    if (s.kind == OptimizerKind::sgd) {
      g = g + decay * w;
      buffer = t == 1 ? g : s.momentum * buffer + g;
      const double direction = s.nesterov ? g + s.momentum * buffer : buffer;
      w = w - lr * direction;
      return;
    }
    if (s.kind == OptimizerKind::adamw)
      w = w - lr * decay * w;
    else
      g = g + decay * w;
    m = s.beta1 * m + (1 - s.beta1) * g;
    v = s.beta2 * v + (1 - s.beta2) * g * g;
    const double m_hat = m / (1 - std::pow(s.beta1, t)), v_hat = v / (1 - std::pow(s.beta2, t));
    w = w - lr * m_hat / (std::sqrt(v_hat) + s.eps);
  }
};

void check_against_textbook(OptimizerSettings settings) {
  settings.decay_norms = false;
  settings.weight_decay = 0.03;
  settings.lr_scales = {{"fc", 10}};
  Rig rig;
  Optimizer optimizer(*rig.store, settings);
  std::vector<std::vector<Textbook>> books;
  for (const Parameter* p : rig.all) {
    books.emplace_back();
    for (const double w : rig.weights(*p)) {
      Textbook book{settings};
      book.w = w;
      book.lr_scale = p == &rig.head ? 10 : 1;
      book.decay = p == &rig.gamma ? 0 : settings.weight_decay;
      books.back().push_back(book);
    }
  }
  for (int step = 1; step <= 4; ++step) {
    rig.set_gradients(step);
    double squares = 0;
    for (const Parameter* p : rig.all)
      for (const double g : Rig::numbers(*p, step)) squares += g * g;
    const double norm = std::sqrt(squares);
    const double scale = settings.clip_norm > 0 ? std::min(1.0, settings.clip_norm / (norm + 1e-6)) : 1;
    const double lr = 0.01 * step;
    optimizer.step(lr);
    CHECK(optimizer.gradient_norm() == doctest::Approx(norm).epsilon(1e-12));
    for (size_t k = 0; k < rig.all.size(); ++k) {
      const std::vector<double> gradients = Rig::numbers(*rig.all[k], step),
                                weights = rig.weights(*rig.all[k]);
      for (size_t i = 0; i < weights.size(); ++i) {
        books[k][i].step(gradients[i] * scale, lr);
        CHECK(weights[i] == doctest::Approx(books[k][i].w).epsilon(1e-12));
      }
    }
  }
  CHECK(optimizer.steps() == 4);
}

}  // namespace

TEST_CASE("every optimizer does what PyTorch's formulas say, over segments") {
  OptimizerSettings settings{.kind = OptimizerKind::sgd};
  SUBCASE("sgd with momentum") {}
  SUBCASE("sgd, nesterov") { settings.nesterov = true; }
  SUBCASE("sgd without momentum") { settings.momentum = 0; }
  SUBCASE("adam") { settings.kind = OptimizerKind::adam; }
  SUBCASE("adamw") { settings.kind = OptimizerKind::adamw; }
  SUBCASE("clipping that bites") { settings.clip_norm = 0.5; }
  SUBCASE("clipping that does not") { settings.clip_norm = 1e3; }
  check_against_textbook(settings);
}

TEST_CASE("segments join where settings are equal and cover the whole arena") {
  Rig rig;
  OptimizerSettings settings;
  CHECK(Optimizer(*rig.store, settings).segments().size() == 1);
  settings.decay_norms = false;
  const Optimizer optimizer(*rig.store, settings);
  const auto& segments = optimizer.segments();
  REQUIRE(segments.size() == 3);
  CHECK(segments.front().begin == 0);
  CHECK(segments.back().end == rig.store->weights().count());
  for (size_t i = 1; i < segments.size(); ++i) CHECK(segments[i].begin == segments[i - 1].end);
  CHECK(segments[1].weight_decay == 0);
}

TEST_CASE("the longest beginning decides a learning rate, and 0 freezes") {
  Rig rig;
  OptimizerSettings settings;
  settings.lr_scales = {{"stem", 0}, {"stem.1", 2}};
  Optimizer optimizer(*rig.store, settings);
  const std::vector<double> kernel = rig.weights(rig.kernel), gamma = rig.weights(rig.gamma);
  rig.set_gradients(1);
  optimizer.step(0.1);
  CHECK(rig.weights(rig.kernel) == kernel);
  CHECK(rig.weights(rig.gamma) != gamma);
  settings.lr_scales = {{"layer7", 1}};
  CHECK_THROWS_WITH_AS(Optimizer(*rig.store, settings), doctest::Contains("layer7"), UsageError);
}

TEST_CASE("a gradient that is not finite changes nothing") {
  for (const OptimizerKind kind : {OptimizerKind::sgd, OptimizerKind::adam, OptimizerKind::adamw})
    for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
      Rig rig;
      OptimizerSettings settings;
      settings.kind = kind;
      Optimizer optimizer(*rig.store, settings);
      rig.set_gradients(1);
      optimizer.step(0.1);
      const std::vector<double> kernel = rig.weights(rig.kernel), gamma = rig.weights(rig.gamma);
      const auto* moments = optimizer.state()[0].values.as<double>();
      const std::vector<double> before(moments, moments + optimizer.state()[0].values.count());
      rig.set_gradients(2);
      std::vector<double> gradients = Rig::numbers(rig.gamma, 2);
      gradients[1] = bad;
      rig.store->write(rig.store->grads(), rig.gamma, gradients);
      optimizer.step(0.1);
      CHECK(!std::isfinite(optimizer.gradient_norm()));
      CHECK(rig.weights(rig.kernel) == kernel);
      CHECK(rig.weights(rig.gamma) == gamma);
      CHECK(std::equal(before.begin(), before.end(), moments));
      rig.set_gradients(3);
      optimizer.step(0.1);
      CHECK(rig.weights(rig.kernel) != kernel);
    }
}

TEST_CASE("the bf16 copy follows the master weights") {
  Rig rig(DType::bf16);
  Optimizer optimizer(*rig.store, {.kind = OptimizerKind::sgd});
  const uint64_t version = rig.store->version();
  rig.set_gradients(1);
  optimizer.step(0.5);
  CHECK(rig.store->version() != version);
  const auto* working = rig.head.working.as<BFloat16>();
  const std::vector<double> weights = rig.weights(rig.head);
  for (size_t i = 0; i < weights.size(); ++i)
    CHECK(working[i].bits == BFloat16(static_cast<float>(weights[i])).bits);
}
