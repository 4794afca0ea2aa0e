// Layers and networks on the CPU backend, in f32 and bf16, against the reference in f64.
#include <doctest/doctest.h>

#include <cmath>

#include "core/backend_decorator.h"
#include "core/rng.h"
#include "cpu/cpu_backend.h"
#include "models/families.h"
#include "models/gradcheck.h"
#include "models/network.h"
#include "reference/reference_backend.h"

using namespace laban;

TEST_CASE("the CPU backend's f32 gradients are the reference's, for every layer and family") {
  ReferenceBackend reference;
  CpuBackend cpu;
  for (const auto* cases : {&gradcheck_layer_cases(), &gradcheck_model_cases()})
    for (const GradcheckCase& check : *cases)
      for (const GradcheckRow& row : compare_gradients(reference, cpu, check)) {
        CAPTURE(row.layer);
        CAPTURE(row.variant);
        CAPTURE(row.tensor);
        CHECK(row.kinked == 0);
        CHECK(row.error <= kCompareTolerance);
      }
}

namespace {

struct Step {
  std::vector<double> losses = std::vector<double>(2), gradients;
};

/// One training step of r2plus1d_tiny; the clips are exact in bf16.
template <class T>
Step step(Backend& backend, int repeat = 1) {
  Network network(backend, DTypeOf<T>::value, model_by_name("r2plus1d_tiny", 5));
  network.store().initialize(3);
  const Shape shape{2, 3, 8, 24, 24};
  std::vector<T> clips(static_cast<size_t>(shape.count()));
  Rng rng(2, Purpose::test);
  for (T& v : clips) v = static_cast<T>(static_cast<float>(BFloat16(static_cast<float>(rng.normal()))));
  const std::vector<int32_t> labels{1, 4};
  Step result;
  for (int i = 0; i < repeat; ++i) {
    network.store().zero_gradients();
    network.train_step({.clips = Tensor(clips.data(), shape),
                        .labels = labels,
                        .loss = {.scale = 0.5},
                        .losses = result.losses});
  }
  for (const Parameter* p : network.store().list().parameters) {
    const auto part = network.store().read(network.store().grads(), *p);
    result.gradients.insert(result.gradients.end(), part.begin(), part.end());
  }
  return result;
}

double cosine(const std::vector<double>& a, const std::vector<double>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) ab += a[i] * b[i], aa += a[i] * a[i], bb += b[i] * b[i];
  return ab / std::sqrt(aa * bb);
}

}  // namespace

TEST_CASE("a network's step on the CPU backend: f32 and bf16 beside f64, and the same bits again") {
  ReferenceBackend reference;
  CpuBackend cpu;
  const Step exact = step<double>(reference), single = step<float>(cpu), half = step<BFloat16>(cpu);
  for (size_t i = 0; i < 2; ++i) {
    CHECK(std::abs(single.losses[i] - exact.losses[i]) < 1e-4);
    CHECK(std::abs(half.losses[i] - exact.losses[i]) < 0.1);
  }
  CHECK(1 - cosine(single.gradients, exact.gradients) < 1e-5);
  // bf16 keeps 8 bits; what that costs is told by the reference, which rounds at the same places.
  const double rounding = 1 - cosine(step<BFloat16>(reference).gradients, exact.gradients);
  CHECK(rounding > 1e-4);
  CHECK(1 - cosine(half.gradients, exact.gradients) < 1.5 * rounding);
  CHECK(step<float>(cpu).gradients == single.gradients);
  CHECK(step<float>(cpu, 2).gradients == single.gradients);  // a step after another, planned one
}

namespace {

/// Computes a convolution and the batch norm behind it one after the other, as training does.
class Apart : public BackendDecorator {
 public:
  using BackendDecorator::BackendDecorator;
  using BackendDecorator::run;
  void run(const ConvBatchNorm& op, Scratch scratch) override {
    ++runs;
    std::vector<std::byte> between(op.y.bytes()), norm_scratch(inner().scratch_bytes(op.normalization()));
    ConvForward convolution = op.convolution();
    convolution.y.data = between.data();
    inner().run(convolution, scratch);
    BatchNormInfer normalization = op.normalization();
    normalization.x.data = between.data();
    inner().run(normalization, {norm_scratch.data(), norm_scratch.size()});
  }
  int runs = 0;
};

/// Members of every family, and what else is behind convolutions: bottlenecks, a max-pool, shortcut A.
std::vector<ModelSpec> small_models() {
  std::vector<ModelSpec> specs{model_by_name("r2plus1d_tiny", 5), model_by_name("r3d_tiny", 5),
                               model_by_name("mc3_tiny", 5)};
  ModelSpec hara = specs[1];
  hara.block = BlockKind::bottleneck;
  hara.stem_max_pool = true;
  hara.options.shortcut = ShortcutKind::subsample;
  specs.push_back(hara);
  return specs;
}

template <class T>
struct Trained {
  Trained(Backend& backend, const ModelSpec& spec)
      : network(backend, DTypeOf<T>::value, spec), clips(shape.count()) {
    network.store().initialize(3);
    Rng rng(2, Purpose::test);
    for (T& v : clips) v = static_cast<T>(static_cast<float>(rng.normal()));
  }
  void step(Mode mode = Mode::train) {
    network.train_step(
        {.clips = tensor(), .labels = labels, .loss = {.scale = 0.5}, .losses = losses, .mode = mode});
  }
  std::vector<double> logits() {
    std::vector<double> values(10);
    network.infer(tensor(), values);
    return values;
  }
  std::vector<double> state() {
    const ParameterStore& store = network.store();
    std::vector<double> all = losses;
    for (const Parameter* p : store.list().parameters)
      for (const Tensor& flat : {store.weights(), store.grads()}) {
        const auto part = store.read(flat, *p);
        all.insert(all.end(), part.begin(), part.end());
      }
    for (const Statistic* s : store.list().statistics) {
      const auto part = store.read(*s);
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }
  Tensor tensor() { return {clips.data(), shape}; }

  const Shape shape{2, 3, 8, 24, 24};
  Network network;
  std::vector<T> clips;
  std::vector<int32_t> labels{1, 4};
  std::vector<double> losses = std::vector<double>(2);
};

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double squares = 0, all = 0;
  for (size_t i = 0; i < a.size(); ++i) squares += (a[i] - b[i]) * (a[i] - b[i]), all += b[i] * b[i];
  return std::sqrt(squares / all);
}

template <class T>
void check_logits(Backend& backend, const ModelSpec& spec, double tolerance) {
  CAPTURE(spec.name);
  Apart apart(backend);
  Trained<T> together(backend, spec), one_by_one(apart, spec);
  for (int steps = 0; steps < 2; ++steps) {
    // The second time behind a training step, which has moved the running statistics and no weight.
    CHECK(distance(together.logits(), one_by_one.logits()) <= tolerance);
    together.step();
    one_by_one.step();
  }
  CHECK(apart.runs > 2 * 8);  // its stem and blocks, twice, or this compared nothing
}

}  // namespace

TEST_CASE("evaluation's logits are those of convolution and batch norm one by one") {
  CpuBackend cpu;
  ReferenceBackend reference;
  for (const ModelSpec& spec : small_models()) {
    check_logits<float>(cpu, spec, 0);  // bit by bit
    check_logits<BFloat16>(cpu, spec, 0.05);
  }
  check_logits<double>(reference, small_models()[0], 1e-12);
}

TEST_CASE("an evaluation between two steps leaves no trace in training") {
  CpuBackend cpu;
  for (const ModelSpec& spec : small_models()) {
    CAPTURE(spec.name);
    Trained<float> evaluated(cpu, spec), alone(cpu, spec);
    const std::vector<double> before = evaluated.logits();
    evaluated.step();
    alone.step();
    CHECK(evaluated.state() == alone.state());
    CHECK(evaluated.logits() != before);  // it sees the new running statistics
    evaluated.step();
    alone.step();
    CHECK(evaluated.state() == alone.state());
  }
}

TEST_CASE("below the lowest layer that learns, a step with frozen statistics runs evaluation's ops") {
  CpuBackend cpu;
  const ModelSpec spec = small_models()[0];
  const auto step_of = [&](Backend& backend) {
    Trained<float> trained(backend, spec);
    trained.network.freeze({.layers = {"backbone"}});
    trained.step();
    return trained.state();
  };
  Apart apart(cpu);
  CHECK(step_of(cpu) == step_of(apart));
  CHECK(apart.runs > 8);
}
