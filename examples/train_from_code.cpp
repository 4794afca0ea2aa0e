// Trains a network from code, without files: a small R(2+1)D learns which way a square moves.
//
//   train_from_code [steps]
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "cpu/cpu_backend.h"
#include "models/families.h"
#include "models/network.h"
#include "moving_squares.h"
#include "train/optimizer.h"

int main(int argc, char** argv) try {
  using namespace laban;
  const int steps = argc > 1 ? std::atoi(argv[1]) : 200;
  const Shape shape{.n = 16, .c = 3, .t = 4, .h = 16, .w = 16};  // 16 clips of 4 frames, 16 x 16 pixels

  // A backend computes, a network says what: here the same layers as in r2plus1d_18, but few and narrow.
  CpuBackend backend;
  Network network(backend, DType::f32, model_by_name("r2plus1d_tiny", examples::kDirections));
  network.store().initialize(/*seed=*/1);
  Optimizer optimizer(network.store(), {.kind = OptimizerKind::adamw, .weight_decay = 0.01});

  // Clips are made on the host and uploaded to the backend's memory, which for another backend is a GPU's.
  const std::unique_ptr<Memory> memory = backend.allocate(static_cast<size_t>(shape.count()) * sizeof(float));
  const Tensor clips(memory->data(), DType::f32, network.storage_shape(shape), backend.device());
  Rng rng(/*seed=*/1, Purpose::test);
  std::vector<float> pixels;
  std::vector<int32_t> labels;
  std::vector<double> losses(static_cast<size_t>(shape.n));

  for (int step = 0; step < steps; ++step) {
    examples::draw_squares(shape, rng, pixels, labels);
    backend.upload(clips, pixels.data());
    network.store().zero_gradients();  // a step adds to them, so that several may make up one large batch
    network.train_step({.clips = clips,
                        .labels = labels,
                        .loss = {.scale = 1.0 / static_cast<double>(shape.n)},
                        .seed = 1,
                        .step = static_cast<uint64_t>(step),
                        .losses = losses});
    optimizer.step(0.003 * (1 - step / static_cast<double>(steps)));  // the learning rate falls to zero
    double mean = 0;
    for (const double loss : losses) mean += loss / static_cast<double>(shape.n);
    if (step % 20 == 0) std::printf("step %3d: loss %.3f\n", step, mean);
  }

  // Clips that it has never seen: every batch is drawn anew.
  int right = 0, seen = 0;
  std::vector<double> probabilities(static_cast<size_t>(shape.n * examples::kDirections));
  for (int batch = 0; batch < 10; ++batch) {
    examples::draw_squares(shape, rng, pixels, labels);
    backend.upload(clips, pixels.data());
    network.evaluate(clips, probabilities);
    for (size_t n = 0; n < labels.size(); ++n, ++seen) {
      const auto first = probabilities.begin() + static_cast<int64_t>(n) * examples::kDirections;
      right += std::max_element(first, first + examples::kDirections) - first == labels[n];
    }
  }
  std::printf("%d of %d new clips are right\n", right, seen);
  return right > seen * 9 / 10 ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "train_from_code: %s\n", error.what());
  return 1;
}
