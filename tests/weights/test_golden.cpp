// The same weights and clips in torchvision and here: logits, losses, gradients, running statistics,
// evaluation, and the weights after steps of an optimizer.
#include <doctest/doctest.h>

#include "reference/reference_backend.h"
#include "train/optimizer.h"
#include "weights/golden.h"

using namespace laban;
using nlohmann::json;

namespace {

LossSettings loss_of(const test::GoldenBatch& batch) {
  return {.smoothing = test::kGoldenSmoothing, .scale = 1.0 / static_cast<double>(batch.shape.n)};
}

void check_gradients(Network& network, const test::GoldenBatch& batch, const json& want) {
  ParameterStore& store = network.store();
  CHECK(want.size() == store.list().parameters.size() + 1);
  test::check_projections("clips", batch.dclips_as_torch(), want["clips"]);
  for (const Parameter* p : store.list().parameters)
    test::check_projections(p->name, store.read(store.grads(), *p), want.at(p->name));
}

void check_passes(const json& file) {
  ReferenceBackend backend;
  Network network(backend, DType::f64, test::golden_spec(file));
  test::fill_by_formula(network);
  test::GoldenBatch batch(file);
  const size_t n = batch.labels.size(), scores = n * file["classes"].get<size_t>();
  std::vector<double> losses(n), logits(scores), probabilities(scores);

  network.train_step({.clips = batch.clips_tensor(),
                      .labels = batch.labels,
                      .loss = loss_of(batch),
                      .losses = losses,
                      .logits = logits,
                      .dclips = batch.dclips_tensor()});
  test::check_close(logits, file["logits"]);
  test::check_close(losses, file["losses"]);
  check_gradients(network, batch, file["gradients"]);
  ParameterStore& store = network.store();
  CHECK(file["statistics"].size() == store.list().statistics.size());
  for (const Statistic* s : store.list().statistics)
    test::check_projections(s->name, store.read(*s), file["statistics"].at(s->name));
  for (const Counter* c : store.list().counters) CHECK(c->value == 1);

  network.evaluate(batch.clips_tensor(), probabilities);
  test::check_close(probabilities, file["probabilities"]);
  if (!file.contains("frozen_gradients")) return;
  store.zero_gradients();
  network.train_step({.clips = batch.clips_tensor(),
                      .labels = batch.labels,
                      .loss = loss_of(batch),
                      .losses = losses,
                      .logits = logits,
                      .mode = Mode::frozen,
                      .dclips = batch.dclips_tensor()});
  check_gradients(network, batch, file["frozen_gradients"]);
  for (const Counter* c : store.list().counters) CHECK(c->value == 1);  // nothing was learned
}

void check_steps(const json& file, const std::string& kind) {
  ReferenceBackend backend;
  Network network(backend, DType::f64, test::golden_spec(file));
  test::fill_by_formula(network);
  test::GoldenBatch batch(file);
  OptimizerSettings settings;
  settings.kind = kind == "sgd" ? OptimizerKind::sgd : OptimizerKind::adamw;
  settings.weight_decay = kind == "sgd" ? 1e-4 : 0.01;
  Optimizer optimizer(network.store(), settings);
  const json& want = file["steps"][kind];
  std::vector<double> losses(batch.labels.size()), means;
  for (size_t step = 0; step < want["losses"].size(); ++step) {
    network.store().zero_gradients();
    network.train_step({.clips = batch.clips_tensor(),
                        .labels = batch.labels,
                        .loss = loss_of(batch),
                        .seed = 0,
                        .step = step,
                        .losses = losses});
    optimizer.step(1e-4);
    double sum = 0;
    for (const double loss : losses) sum += loss;
    means.push_back(sum / static_cast<double>(losses.size()));
  }
  test::check_close(means, want["losses"]);
  for (const Parameter* p : network.store().list().parameters)
    test::check_projections(p->name, network.store().read(network.store().weights(), *p),
                            want["weights"].at(p->name));
}

}  // namespace

TEST_CASE("narrow networks of every family compute what PyTorch computes") {
  for (const char* name :
       {"r3d_narrow", "mc3_narrow", "rmc3_narrow", "r2plus1d_narrow", "r2plus1d_per_conv_narrow",
        "r3d_bottleneck", "r2plus1d_bottleneck", "r2plus1d_per_conv_bottleneck", "resnet3d_narrow",
        "resnet3d_shortcut_a_narrow", "resnet3d_bottleneck"}) {
    CAPTURE(std::string(name));
    check_passes(test::golden(name));
  }
}

TEST_CASE("published networks in full compute what torchvision's compute") {
  for (const char* name : {"r3d_18", "mc3_18", "r2plus1d_18", "r3d_50"}) {
    CAPTURE(std::string(name));
    check_passes(test::golden(name));
  }
}

TEST_CASE("five steps of SGD with momentum and of AdamW end where PyTorch's end") {
  for (const char* name :
       {"r3d_narrow", "mc3_narrow", "r2plus1d_narrow", "r3d_bottleneck", "resnet3d_shortcut_a_narrow"})
    for (const char* kind : {"sgd", "adamw"}) {
      CAPTURE(std::string(name));
      CAPTURE(std::string(kind));
      check_steps(test::golden(name), kind);
    }
}
