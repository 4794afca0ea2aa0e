// Mixup and cutmix: the random draws, the resulting pixels, and the loss.
#include "train/clip_mixer.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cpu/cpu_backend.h"
#include "models/families.h"
#include "reference/reference_backend.h"

using namespace laban;

namespace {

const Shape kClips{6, 3, 2, 9, 11};

std::vector<float> random_pixels() {
  std::vector<float> pixels(static_cast<size_t>(kClips.count()));
  Rng rng(1, Purpose::test);
  for (float& v : pixels) v = static_cast<float>(rng.normal());
  return pixels;
}

}  // namespace

TEST_CASE("Beta draws have the distribution's mean and variance") {
  for (const double alpha : {0.02, 0.2, 1.0, 8.0}) {
    CAPTURE(alpha);
    Rng rng(7, Purpose::test);
    constexpr int kDraws = 20000;
    double sum = 0, squares = 0;
    for (int i = 0; i < kDraws; ++i) {
      const double x = draw_beta(rng, alpha, alpha);
      REQUIRE((x >= 0 && x <= 1));
      sum += x;
      squares += (x - 0.5) * (x - 0.5);
    }
    const double variance = 1 / (4 * (2 * alpha + 1));  // a b / ((a+b)^2 (a+b+1))
    CHECK(std::abs(sum / kDraws - 0.5) < 5 * std::sqrt(variance / kDraws));
    CHECK(std::abs(squares / kDraws / variance - 1) < 0.05);
  }
  // Not symmetric: Beta(2, 6) has mean 1/4.
  Rng rng(8, Purpose::test);
  double sum = 0;
  for (int i = 0; i < 20000; ++i) sum += draw_beta(rng, 2, 6);
  CHECK(std::abs(sum / 20000 - 0.25) < 0.005);
}

TEST_CASE("partners are a permutation; shares belong to boxes; draws depend on seed, epoch and batch only") {
  const auto drawn = [](double mixup, double cutmix, int64_t batch, uint64_t seed = 3, int64_t epoch = 2) {
    return draw_mix({mixup, cutmix}, 8, 112, 96, seed, epoch, batch);
  };
  int with_boxes = 0;
  for (int64_t batch = 0; batch < 60; ++batch) {
    const BatchMix mix = drawn(0.4, 1, batch);
    std::vector<int32_t> sorted = mix.partners;
    std::ranges::sort(sorted);
    std::vector<int32_t> each(8);
    std::iota(each.begin(), each.end(), 0);
    CHECK(sorted == each);
    const bool boxes = std::ranges::all_of(mix.blends, [](double b) { return b == 1; });
    with_boxes += boxes;
    for (size_t i = 0; i < 8; ++i) {
      const MixBox& b = mix.boxes[i];
      CHECK((b.top >= 0 && b.left >= 0 && b.bottom <= 112 && b.right <= 96));
      if (boxes) {
        const double area = std::max(0, b.bottom - b.top) * std::max(0, b.right - b.left);
        CHECK(mix.fractions[i] == doctest::Approx(1 - area / (112 * 96)));
      } else {
        CHECK(b.bottom == 0);
        CHECK(mix.fractions[i] == mix.blends[i]);
      }
    }
    CHECK(mix.fractions == drawn(0.4, 1, batch).fractions);
    CHECK(mix.fractions != drawn(0.4, 1, batch + 1).fractions);
    CHECK(mix.fractions != drawn(0.4, 1, batch, 4).fractions);
    CHECK(mix.fractions != drawn(0.4, 1, batch, 3, 1).fractions);
    for (const double blend : drawn(0, 1, batch).blends) CHECK(blend == 1);
    for (const MixBox& box : drawn(1, 0, batch).boxes) CHECK(box.bottom == 0);
  }
  CHECK((with_boxes > 15 && with_boxes < 45));  // the coin is fair
}

TEST_CASE("boxes have the area that is asked for, where they lie inside") {
  const MixBox box = box_for(0.75, 100, 60, 0.5, 0.5);
  CHECK(box.top == 25);
  CHECK(box.bottom == 75);
  CHECK(box.left == 15);
  CHECK(box.right == 45);
  CHECK(fraction_outside(box, 100, 60) == 0.75);
  const MixBox corner = box_for(0.75, 100, 60, 0, 0.999);  // three quarters of it lie outside
  CHECK(corner.top == 0);
  CHECK(corner.bottom == 25);
  CHECK(corner.right == 60);
  CHECK(fraction_outside(box_for(1, 100, 60, 0.3, 0.3), 100, 60) == 1);
  CHECK(fraction_outside(box_for(0, 100, 60, 0.5, 0.5), 100, 60) == 0);
}

TEST_CASE("mixed pixels are those of the formula") {
  std::vector<float> pixels = random_pixels();
  const std::vector<int32_t> labels{0, 1, 2, 3, 4, 5};
  for (const MixSettings& settings : {MixSettings{0.6, 0}, MixSettings{0, 1}}) {
    CpuBackend backend(2);
    ClipMixer mixer(backend, settings);
    const Tensor mixed = mixer.mix(Tensor(pixels.data(), kClips), labels, 9, 4, 7);
    const BatchMix drawn = draw_mix(settings, kClips.n, kClips.h, kClips.w, 9, 4, 7);
    const LabelMix targets = mixer.labels();
    double worst = 0;
    for (int64_t n = 0; n < kClips.n; ++n) {
      const auto i = static_cast<size_t>(n);
      CHECK(targets.other_labels[i] == labels[static_cast<size_t>(drawn.partners[i])]);
      CHECK(targets.fraction[i] == drawn.fractions[i]);
      for (int64_t t = 0; t < kClips.t; ++t)
        for (int64_t h = 0; h < kClips.h; ++h)
          for (int64_t w = 0; w < kClips.w; ++w)
            for (int64_t c = 0; c < 3; ++c) {
              const double own = pixels[static_cast<size_t>(kClips.index(n, t, h, w, c))];
              const double other = pixels[static_cast<size_t>(kClips.index(drawn.partners[i], t, h, w, c))];
              const MixBox& box = drawn.boxes[i];
              const bool inside = h >= box.top && h < box.bottom && w >= box.left && w < box.right;
              const double fraction = settings.cutmix > 0 ? (inside ? 0 : 1) : drawn.fractions[i];
              const double got = mixed.as<float>()[kClips.index(n, t, h, w, c)];
              worst = std::max(worst, std::abs(got - (fraction * own + (1 - fraction) * other)));
            }
    }
    CHECK(worst < 1e-6);
  }
}

TEST_CASE("the loss of mixed clips is the blend of both losses, and so is its gradient") {
  // Cross-entropy is linear in its target: loss(mix) = s loss(label) + (1-s) loss(other), smoothing included.
  const Shape shape{3, 3, 4, 10, 10};
  std::vector<double> clips(static_cast<size_t>(shape.count()));
  Rng rng(5, Purpose::test);
  for (double& v : clips) v = rng.normal();
  const std::vector<int32_t> labels{0, 3, 2}, others{4, 1, 2};
  const std::vector<double> share{0.25, 0.9, 0.5};
  ReferenceBackend backend;
  Network network(backend, DType::f64, model_by_name("r3d_tiny", 5));
  network.store().initialize(1);
  const auto step = [&](std::span<const int32_t> of, const LabelMix& mix, std::vector<double>& losses) {
    losses.resize(3);
    network.store().zero_gradients();
    network.train_step({.clips = Tensor(clips.data(), shape),
                        .labels = of,
                        .loss = {.smoothing = 0.1},
                        .seed = 1,
                        .step = 1,
                        .losses = losses,
                        .mode = Mode::frozen,
                        .mix = mix});
    const Parameter* fc = network.store().list().parameters.back();
    return network.store().read(network.store().grads(), *fc);  // of the bias: sums of p - q
  };
  std::vector<double> first, second, mixed;
  step(labels, {}, first);
  step(others, {}, second);
  const auto gradient = step(labels, {others, share}, mixed);
  for (size_t i = 0; i < 3; ++i)
    CHECK(mixed[i] == doctest::Approx(share[i] * first[i] + (1 - share[i]) * second[i]).epsilon(1e-12));
  // The gradient is linear too, but sample by sample: give each its weight by its share.
  std::vector<double> probabilities(15);
  network.evaluate(Tensor(clips.data(), shape), probabilities);
  for (size_t k = 0; k < 5; ++k) {
    double expected = 0;
    for (size_t i = 0; i < 3; ++i) {
      const double certain = (labels[i] == static_cast<int32_t>(k) ? share[i] : 0) +
                             (others[i] == static_cast<int32_t>(k) ? 1 - share[i] : 0);
      expected += probabilities[i * 5 + k] - (0.9 * certain + 0.1 / 5);
    }
    CHECK(gradient[k] == doctest::Approx(expected).epsilon(1e-10));
  }
}
