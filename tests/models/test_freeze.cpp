// Frozen layers do not change, get no gradients and cost no backward pass; everything else is trained as
// before.
#include "core/rng.h"
#include "models/freeze.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "core/backend_decorator.h"
#include "models/families.h"
#include "models/network.h"
#include "reference/reference_backend.h"

using namespace laban;
using doctest::Contains;

namespace {

/// Counts the ops of backward passes.
class Counting : public BackendDecorator {
 public:
  using BackendDecorator::BackendDecorator;
  using BackendDecorator::run;
  void run(const ConvBackwardWeights& op, Scratch scratch) override {
    ++weights;
    BackendDecorator::run(op, scratch);
  }
  void run(const ConvBackwardData& op, Scratch scratch) override {
    ++data;
    BackendDecorator::run(op, scratch);
  }
  void run(const BatchNormTrain& op, Scratch scratch) override {
    ++norms_of_batches;
    BackendDecorator::run(op, scratch);
  }
  int weights = 0, data = 0, norms_of_batches = 0;
};

struct Rig {
  const Shape shape{2, 3, 4, 10, 10};
  ReferenceBackend reference;
  Counting backend{reference};
  Network network;
  std::vector<double> clips;

  explicit Rig(const FreezeSettings& settings, const std::string& model = "r2plus1d_tiny")
      : network(backend, DType::f64, model_by_name(model, 5)), clips(static_cast<size_t>(shape.count())) {
    Rng rng(3, Purpose::test);
    for (double& v : clips) v = rng.normal();
    network.store().initialize(2);
    // Running statistics that differ from the batch's, as after another training.
    for (const Statistic* s : network.store().list().statistics) {
      std::vector<double> values(static_cast<size_t>(s->shape.count()));
      const bool mean = s->name.ends_with("mean");
      for (double& v : values) v = mean ? rng.uniform(-0.1, 0.1) : rng.uniform(0.5, 1.5);
      network.store().write(*s, values);
    }
    network.freeze(settings);
  }
  void step(const Tensor& dclips = {}) {
    const std::vector<int32_t> labels{1, 4};
    network.store().zero_gradients();
    network.train_step(
        {.clips = Tensor(clips.data(), shape), .labels = labels, .seed = 1, .step = 1, .dclips = dclips});
  }
  std::map<std::string, std::vector<double>> gradients() {
    std::map<std::string, std::vector<double>> all;
    const ParameterStore& store = network.store();
    for (const Parameter* p : store.list().parameters) all[p->name] = store.read(store.grads(), *p);
    return all;
  }
};

bool all_zero(const std::vector<double>& values) {
  return std::ranges::all_of(values, [](double v) { return v == 0; });
}

}  // namespace

TEST_CASE("gradients of what learns do not depend on what is frozen; frozen layers get none") {
  // With frozen batch norms forward is the same whatever else is frozen.
  Rig whole({.norms = true});
  whole.step();
  const auto expected = whole.gradients();
  for (const auto& [name, gradient] : expected) CHECK_MESSAGE(!all_zero(gradient), name);

  for (const std::vector<std::string>& layers : std::vector<std::vector<std::string>>{
           {"stem"}, {"stem", "layer1"}, {"layer2"}, {"layer2.0.conv1", "fc"}, {"stem.0"}, {"backbone"}}) {
    CAPTURE(layers.front());
    Rig rig({.layers = layers, .norms = true});
    rig.step();
    int learning = 0, frozen = 0;
    for (const Parameter* p : rig.network.store().list().parameters) {
      const auto gradient = rig.network.store().read(rig.network.store().grads(), *p);
      if (p->frozen) {
        ++frozen;
        CHECK_MESSAGE(all_zero(gradient), p->name);
      } else {
        ++learning;
        CHECK_MESSAGE(gradient == expected.at(p->name), p->name);
      }
    }
    CHECK(frozen > 0);
    CHECK(learning > 0);
  }
}

TEST_CASE("the gradient of the clips passes through frozen layers") {
  const auto input_gradient = [](const FreezeSettings& settings) {
    Rig rig(settings);
    std::vector<double> dclips(rig.clips.size());
    rig.step(Tensor(dclips.data(), rig.shape));
    return dclips;
  };
  const auto expected = input_gradient({.norms = true});
  CHECK(!all_zero(expected));
  CHECK(input_gradient({.layers = {"backbone"}, .norms = true}) == expected);
}

TEST_CASE("backward stops below the lowest layer that learns") {
  Rig whole({});
  whole.step();
  const int convolutions = whole.backend.weights;
  CHECK(whole.backend.data == convolutions - 1);  // all but the first

  Rig head({.layers = {"backbone"}});
  head.step();
  CHECK(head.backend.weights == 0);
  CHECK(head.backend.data == 0);
  CHECK(head.backend.norms_of_batches == 0);
  CHECK(head.network.activation_bytes() < whole.network.activation_bytes() / 2);  // nothing is kept

  // Frozen in the middle: gradients must pass through it to the stem, but it needs none of its own.
  Rig middle({.layers = {"layer1"}});
  middle.step();
  CHECK(middle.backend.weights < convolutions);
  CHECK(middle.backend.data == convolutions - 1);
  CHECK(middle.backend.norms_of_batches > 0);
  CHECK(middle.backend.norms_of_batches < whole.backend.norms_of_batches);
}

TEST_CASE("running statistics move only where they are not frozen") {
  const auto statistics = [](Rig& rig) {
    std::map<std::string, std::vector<double>> all;
    for (const Statistic* s : rig.network.store().list().statistics)
      all[s->name] = rig.network.store().read(*s);
    for (const Counter* c : rig.network.store().list().counters)
      all[c->name] = {static_cast<double>(c->value)};
    return all;
  };
  const auto changed = [&](const FreezeSettings& settings,
                           const std::function<bool(const std::string&)>& is) {
    Rig rig(settings);
    const auto before = statistics(rig);
    rig.step();
    for (const auto& [name, values] : statistics(rig))
      CHECK_MESSAGE((values != before.at(name)) == is(name), name);
  };
  changed({}, [](const std::string&) { return true; });
  changed({.norms = true}, [](const std::string&) { return false; });
  changed({.layers = {"stem", "layer1"}},
          [](const std::string& name) { return !name.starts_with("stem.") && !name.starts_with("layer1."); });
}

TEST_CASE("freezing can be taken back") {
  Rig rig({.layers = {"backbone"}, .norms = true}), whole({});
  rig.step();
  rig.network.freeze({});
  rig.step();
  whole.step();
  CHECK(rig.gradients() == whole.gradients());
}

TEST_CASE("names that no layer has, and freezing everything, are errors") {
  Rig rig({});
  CHECK_THROWS_WITH_AS(rig.network.freeze({.layers = {"layer"}}), Contains("cannot freeze 'layer'"),
                       UsageError);
  CHECK_THROWS_WITH_AS(rig.network.freeze({.layers = {"fc.weight"}}), Contains("fc.weight"), UsageError);
  CHECK_THROWS_WITH_AS(rig.network.freeze({.layers = {""}}), Contains("''"), UsageError);
  CHECK_THROWS_WITH_AS(rig.network.freeze({.layers = {"backbone", "fc"}}), Contains("nothing is left"),
                       UsageError);
}
