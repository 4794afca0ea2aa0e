#include "train/recipe/trial.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "core/ops/elementwise.h"
#include "core/rng.h"
#include "data/video/watch.h"
#include "models/network.h"
#include "train/optimizer.h"

namespace laban {

TrialResult try_steps(Backend& backend, const Config& config, int64_t classes, double seconds,
                      const std::atomic<bool>* stop) {
  const DType compute = compute_type(config);
  Network network(backend, compute, model_spec(config, classes));
  const PictureSize size = config.clip.transform.crop;
  const Shape shape{config.train.batch, 3, config.clip.sampler.frames, size.height, size.width};
  network.output_shape(shape);  // a readable error before anything is allocated
  network.freeze(freeze_settings(config));
  network.store().initialize(1);
  Optimizer optimizer(network.store(), config.optimizer);

  std::vector<float> noise(static_cast<size_t>(shape.count()));
  Rng rng(1, Purpose::test);
  for (float& value : noise) value = static_cast<float>(rng.uniform(-1.5, 1.5));
  const auto wide = backend.allocate(noise.size() * sizeof(float));
  const Tensor from(wide->data(), DType::f32, shape, backend.device());
  backend.upload(from, noise.data());
  const Shape stored = network.storage_shape(shape);
  const auto memory = backend.allocate(static_cast<size_t>(stored.count()) * size_of(compute));
  const Tensor clips(memory->data(), compute, stored, backend.device());
  backend.run(Cast{from, clips}, {});
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < shape.n; ++i) labels.push_back(static_cast<int32_t>(i % classes));
  std::vector<double> losses(labels.size());

  TrialResult result;
  using Clock = std::chrono::steady_clock;
  double passed = 0;
  std::vector<double> durations;
  for (int64_t step = -1;; ++step) {
    const Clock::time_point start = Clock::now();
    network.store().zero_gradients();
    network.train_step({.clips = clips,
                        .labels = labels,
                        .loss = {.scale = 1.0 / static_cast<double>(shape.n)},
                        .step = static_cast<uint64_t>(step + 1),
                        .losses = losses});
    optimizer.step(1e-3);
    backend.synchronize();
    if (stop && stop->load(std::memory_order_relaxed)) throw Canceled{};
    if (step < 0) continue;
    durations.push_back(std::chrono::duration<double>(Clock::now() - start).count());
    passed += durations.back();
    if (passed >= seconds) break;
  }
  // Not the mean: bursts of other programs, which may take all processors for seconds, say nothing of the run.
  const auto quarter = durations.begin() + static_cast<std::ptrdiff_t>(durations.size() / 4);
  std::ranges::nth_element(durations, quarter);
  result.steps = static_cast<int64_t>(durations.size());
  result.clips_per_second = static_cast<double>(shape.n) / std::max(*quarter, 1e-9);
  // The optimizer's moments are one or two more copies of the weights.
  result.memory = network.activation_bytes() + network.parameter_bytes() * 3 / 2;
  return result;
}

}  // namespace laban
