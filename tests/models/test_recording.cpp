// A network on a backend that records: replayed steps equal unrecorded ones.
#include <doctest/doctest.h>

#include "core/rng.h"
#include "models/families.h"
#include "models/network.h"
#include "reference/reference_backend.h"
#include "support/recording_backend.h"

using namespace laban;
using namespace laban::test;

namespace {

const Shape kClips{2, 3, 4, 12, 12};

ModelSpec spec_with_dropout() {
  ModelSpec spec = model_by_name("r2plus1d_tiny", 5);
  spec.stages.resize(2);
  spec.options.dropout = 0.3;
  return spec;
}

/// What three rounds over two input buffers leave behind: losses, logits, probabilities and gradients.
std::vector<double> rounds(Backend& backend, int64_t round_count) {
  Network network(backend, DType::f32, spec_with_dropout());
  network.store().initialize(3);
  Rng rng(5, Purpose::test);
  std::vector<std::vector<float>> buffers(2, std::vector<float>(static_cast<size_t>(kClips.count())));
  std::vector<double> all, losses(2), logits(10);
  for (int64_t round = 0; round < round_count; ++round)
    for (std::vector<float>& buffer : buffers) {
      for (float& value : buffer) value = static_cast<float>(rng.normal());
      const std::vector<int32_t> labels{static_cast<int32_t>(rng.integer(0, 4)),
                                        static_cast<int32_t>(rng.integer(0, 4))};
      const Tensor clips(buffer.data(), kClips);
      network.store().zero_gradients();
      network.train_step({.clips = clips,
                          .labels = labels,
                          .loss = {.smoothing = 0.1, .scale = 0.5},
                          .seed = 7,
                          .step = static_cast<uint64_t>(round)});
      network.results(losses, logits);
      all.insert(all.end(), losses.begin(), losses.end());
      all.insert(all.end(), logits.begin(), logits.end());
      for (const Parameter* p : network.store().list().parameters) {
        const auto part = network.store().read(network.store().grads(), *p);
        all.insert(all.end(), part.begin(), part.end());
      }
      network.evaluate(clips, logits, labels, losses);
      all.insert(all.end(), losses.begin(), losses.end());
      all.insert(all.end(), logits.begin(), logits.end());
    }
  return all;
}

}  // namespace

TEST_CASE("replayed steps give what the ops give: new clips, labels and dropout masks in every step") {
  ReferenceBackend plain;
  RecordingBackend recording;
  CHECK(rounds(recording, 4) == rounds(plain, 4));
  // A training step and an evaluation, each for either buffer; the very first pass of each kind is no
  // recording.
  CHECK(recording.recordings == 4);
  CHECK(recording.replays == 2 * 2 * 4 - 2);
}

TEST_CASE("a recording serves only the settings that it was made for") {
  ReferenceBackend plain;
  RecordingBackend recording;
  const auto gradients = [](Backend& backend) {
    Network network(backend, DType::f32, spec_with_dropout());
    network.store().initialize(3);
    std::vector<float> values(static_cast<size_t>(kClips.count()), 0.5f);
    std::vector<double> all, losses(2);
    for (const double scale : {0.5, 0.5, 0.25, 0.5, 0.125, 1.0, 2.0, 4.0, 0.5})
      for (const uint64_t seed : {uint64_t{1}, uint64_t{2}}) {
        network.store().zero_gradients();
        network.train_step({.clips = Tensor(values.data(), kClips),
                            .labels = std::vector<int32_t>{1, 4},
                            .loss = {0, scale},
                            .seed = seed,
                            .step = 1,
                            .losses = losses});
        for (const Parameter* p : network.store().list().parameters) {
          const auto part = network.store().read(network.store().grads(), *p);
          all.insert(all.end(), part.begin(), part.end());
        }
      }
    return all;
  };
  CHECK(gradients(recording) == gradients(plain));
}

TEST_CASE("results need a step") {
  ReferenceBackend backend;
  Network network(backend, DType::f32, spec_with_dropout());
  std::vector<double> losses(2);
  CHECK_THROWS_AS(network.results(losses), std::logic_error);
}
