// Network: planning, steps, modes, errors.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <numeric>

#include "core/rng.h"
#include "models/families.h"
#include "models/network.h"
#include "reference/reference_backend.h"

using namespace laban;

namespace {

size_t g_allocations = 0;  // calls of operator new, everywhere in this program

/// Small and with everything: factorized stem, both shortcuts' places, dropout.
ModelSpec small_spec() {
  ModelSpec spec = model_by_name("r2plus1d_tiny", 5);
  spec.stem_planes = 6;
  spec.stem_midplanes = 5;
  spec.stages = {{.blocks = 1, .planes = 6, .conv = ConvKind::factorized},
                 {.blocks = 1, .planes = 10, .stride = {2, 2, 2}, .conv = ConvKind::factorized}};
  spec.options.dropout = 0.3;
  return spec;
}

const Shape kClips{2, 3, 4, 12, 14};

/// A batch on the host, as any host backend takes it.
template <class T>
struct Batch {
  std::vector<T> values;
  std::vector<int32_t> labels{1, 4};
  Shape shape;
  explicit Batch(const Shape& shape, uint64_t seed = 1)
      : values(static_cast<size_t>(shape.count())), shape(shape) {
    Rng rng(seed, Purpose::test);
    for (T& value : values) value = static_cast<T>(static_cast<float>(rng.normal()));
  }
  Tensor tensor() { return Tensor(values.data(), shape); }
};

std::vector<double> all_gradients(Network& network) {
  std::vector<double> all;
  for (const Parameter* p : network.store().list().parameters) {
    const auto part = network.store().read(network.store().grads(), *p);
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double worst = 0;
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
  return worst;
}

/// Pads channels as a GPU does, and can fail in the middle of a step.
class OddBackend : public ReferenceBackend {
 public:
  using ReferenceBackend::run;
  int64_t channel_multiple(DType) const override { return multiple; }
  void run(const BatchNormBackward& op, Scratch scratch) override {
    if (fail_in == 0) throw Error("the device caught fire");
    --fail_in;
    ReferenceBackend::run(op, scratch);
  }
  std::optional<size_t> free_bytes() override { return free; }
  std::optional<size_t> free;
  int64_t multiple = 1;
  int fail_in = std::numeric_limits<int>::max();
};

}  // namespace

// Not inlined: a compiler that sees only one half of a pair as what it is, malloc() or free(), warns.
[[gnu::noinline]] void* operator new(size_t bytes) {
  ++g_allocations;
  if (void* memory = std::malloc(bytes ? bytes : 1)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(size_t bytes, std::align_val_t alignment) {
  ++g_allocations;
  const size_t a = static_cast<size_t>(alignment);
  if (void* memory = std::aligned_alloc(a, (bytes + a - 1) / a * a)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

TEST_CASE_TEMPLATE("after the first step of a shape nothing allocates", T, float, double, BFloat16) {
  ReferenceBackend backend;
  Network network(backend, DTypeOf<T>::value, small_spec());
  network.store().initialize(3);
  Batch<T> batch(kClips);
  std::vector<double> losses(2), logits(10), probabilities(10);
  const auto step = [&](uint64_t number) {
    network.store().zero_gradients();
    network.train_step({.clips = batch.tensor(),
                        .labels = batch.labels,
                        .loss = {.smoothing = 0.1, .scale = 0.5},
                        .seed = 7,
                        .step = number,
                        .losses = losses,
                        .logits = logits});
    network.store().weights_changed(true);
    network.evaluate(batch.tensor(), probabilities, batch.labels, losses);
  };
  step(0);
  const size_t bytes = network.activation_bytes();
  const size_t before = g_allocations;
  step(1);
  step(2);
  const size_t after = g_allocations;
  CHECK(after == before);
  CHECK(network.activation_bytes() == bytes);
  ::operator delete(::operator new(8));
  CHECK(g_allocations > after);  // the count does count
}

TEST_CASE("a step is a pure function of weights, clips, seed and step") {
  ReferenceBackend backend;
  const auto one = [&](uint64_t step) {
    Network network(backend, DType::f32, small_spec());
    network.store().initialize(3);
    Batch<float> batch(kClips);
    std::vector<double> losses(2);
    network.train_step({.clips = batch.tensor(),
                        .labels = batch.labels,
                        .seed = 7,
                        .step = 1,
                        .losses = losses});  // another step before must not matter ...
    network.store().initialize(3);           // ... to gradients
    network.train_step(
        {.clips = batch.tensor(), .labels = batch.labels, .seed = 7, .step = step, .losses = losses});
    return all_gradients(network);
  };
  CHECK(distance(one(5), one(5)) == 0);
  CHECK(distance(one(5), one(6)) > 0);  // dropout draws another mask
}

TEST_CASE("gradients accumulate over micro-batches, and scale with the loss") {
  ReferenceBackend backend;
  Network network(backend, DType::f64, small_spec());
  network.store().initialize(3);
  Batch<double> batch(kClips);
  std::vector<double> losses(2);
  network.train_step({.clips = batch.tensor(),
                      .labels = batch.labels,
                      .loss = {.scale = 1},
                      .seed = 7,
                      .step = 1,
                      .losses = losses});
  const auto once = all_gradients(network);
  network.train_step({.clips = batch.tensor(),
                      .labels = batch.labels,
                      .loss = {.scale = 2},
                      .seed = 7,
                      .step = 1,
                      .losses = losses});
  auto thrice = all_gradients(network);
  for (size_t i = 0; i < once.size(); ++i) thrice[i] -= 3 * once[i];
  CHECK(distance(thrice, std::vector<double>(once.size(), 0.0)) < 1e-12);
  network.store().zero_gradients();
  CHECK(distance(all_gradients(network), std::vector<double>(once.size(), 0.0)) == 0);
}

TEST_CASE("asking for the clips' gradient changes no other") {
  ReferenceBackend backend;
  Network network(backend, DType::f64, small_spec());
  network.store().initialize(3);
  Batch<double> batch(kClips), dclips(kClips);
  std::vector<double> losses(2);
  network.train_step(
      {.clips = batch.tensor(), .labels = batch.labels, .seed = 7, .step = 1, .losses = losses});
  const auto without = all_gradients(network);
  network.store().zero_gradients();
  network.train_step({.clips = batch.tensor(),
                      .labels = batch.labels,
                      .seed = 7,
                      .step = 1,
                      .losses = losses,
                      .dclips = dclips.tensor()});
  CHECK(distance(all_gradients(network), without) == 0);
  const auto first = dclips.values;
  network.train_step({.clips = batch.tensor(),
                      .labels = batch.labels,
                      .seed = 7,
                      .step = 1,
                      .losses = losses,
                      .dclips = dclips.tensor()});
  CHECK(dclips.values == first);  // overwritten, not accumulated
  CHECK(std::any_of(first.begin(), first.end(), [](double v) { return v != 0; }));
}

TEST_CASE("padded channels are invisible: same results, and the padding stays zero") {
  Batch<double> batch(kClips);
  Shape padded_shape = kClips;
  padded_shape.c = 8;
  std::vector<double> padded_values(static_cast<size_t>(padded_shape.count()));
  for (int64_t i = 0; i < kClips.count(); ++i)
    padded_values[static_cast<size_t>(i / 3 * 8 + i % 3)] = batch.values[static_cast<size_t>(i)];
  const Tensor padded_clips(padded_values.data(), padded_shape);
  for (const ShortcutKind shortcut : {ShortcutKind::projection, ShortcutKind::subsample}) {
    ModelSpec spec = small_spec();
    spec.options.shortcut = shortcut;
    spec.options.dropout = 0;  // masks are drawn by place in memory
    OddBackend plain, padding;
    padding.multiple = 8;
    Network a(plain, DType::f64, spec), b(padding, DType::f64, spec);
    a.store().initialize(3);
    b.store().initialize(3);
    CHECK(b.store().weights().count() > a.store().weights().count());
    CHECK(a.store().parameter_count() == b.store().parameter_count());
    std::vector<double> loss_a(2), loss_b(2), logits_a(10), logits_b(10);
    a.train_step({.clips = batch.tensor(), .labels = batch.labels, .losses = loss_a, .logits = logits_a});
    CHECK(b.storage_shape(kClips) == padded_shape);
    b.train_step({.clips = padded_clips, .labels = batch.labels, .losses = loss_b, .logits = logits_b});
    CHECK(distance(logits_a, logits_b) < 1e-12);
    CHECK(distance(all_gradients(a), all_gradients(b)) < 1e-12);
    for (const Tensor& flat : {b.store().weights(), b.store().grads()}) {
      double all = 0, logical = 0;
      for (int64_t i = 0; i < flat.count(); ++i) all += std::abs(flat.as<double>()[i]);
      for (const Parameter* p : b.store().list().parameters)
        for (const double v : b.store().read(flat, *p)) logical += std::abs(v);
      CHECK(all == doctest::Approx(logical).epsilon(1e-12));
    }
    for (size_t i = 0; i < a.store().list().statistics.size(); ++i)
      CHECK(distance(a.store().read(*a.store().list().statistics[i]),
                     b.store().read(*b.store().list().statistics[i])) < 1e-12);
    a.evaluate(batch.tensor(), logits_a);
    b.evaluate(padded_clips, logits_b);
    CHECK(distance(logits_a, logits_b) < 1e-12);
    CHECK(b.planned_bytes(kClips, Mode::train) > a.planned_bytes(kClips, Mode::train));
    CHECK_THROWS_WITH_AS(
        b.train_step({.clips = Tensor(padded_values.data(), {2, 5, 4, 12, 14}), .labels = batch.labels}),
        doctest::Contains("takes 3 channels, but its input has 5"), Error);
  }
}

TEST_CASE("evaluation: probabilities, no dropout, running statistics untouched") {
  ReferenceBackend backend;
  Network network(backend, DType::f32, small_spec());
  network.store().initialize(3);
  Batch<float> batch(kClips);
  std::vector<double> first(10), second(10), losses(2);
  const auto statistics = [&] {
    const Tensor flat = network.store().statistics();
    return std::vector<float>(flat.as<float>(), flat.as<float>() + flat.count());
  };
  const auto before = statistics();
  network.evaluate(batch.tensor(), first, batch.labels, losses);
  network.evaluate(batch.tensor(), second);
  CHECK(distance(first, second) == 0);
  CHECK(statistics() == before);
  for (size_t n = 0; n < 2; ++n) {
    CHECK(std::accumulate(&first[n * 5], &first[n * 5] + 5, 0.0) == doctest::Approx(1).epsilon(1e-6));
    CHECK(losses[n] ==
          doctest::Approx(-std::log(first[n * 5 + static_cast<size_t>(batch.labels[n])])).epsilon(1e-5));
  }
  network.train_step({.clips = batch.tensor(), .labels = batch.labels, .losses = losses});
  CHECK(statistics() != before);
  const auto trained = statistics();
  network.train_step(
      {.clips = batch.tensor(), .labels = batch.labels, .losses = losses, .mode = Mode::frozen});
  CHECK(statistics() == trained);
}

TEST_CASE("frozen statistics: a step sees what evaluation sees") {
  ReferenceBackend backend;
  Network network(backend, DType::f64, small_spec());
  network.store().initialize(3);
  Batch<double> batch(kClips);
  std::vector<double> frozen(2), evaluated(2), probabilities(10);
  network.train_step(
      {.clips = batch.tensor(), .labels = batch.labels, .losses = frozen, .mode = Mode::frozen});
  network.evaluate(batch.tensor(), probabilities, batch.labels, evaluated);
  CHECK(distance(frozen, evaluated) < 1e-14);
}

TEST_CASE("bf16: a working copy beside f32 masters, gradients near those of f64") {
  ReferenceBackend backend;
  ModelSpec spec = small_spec();
  spec.options.dropout = 0;
  Network half(backend, DType::bf16, spec), full(backend, DType::f64, spec);
  half.store().initialize(3);
  full.store().initialize(3);
  CHECK(half.store().weights().dtype == DType::f32);
  CHECK(half.store().working().dtype == DType::bf16);
  CHECK(!full.store().working());
  for (const Parameter* p : half.store().list().parameters) {
    const float master = p->value.as<float>()[0];
    CHECK(p->working.as<BFloat16>()[0].bits == BFloat16(master).bits);
  }
  Batch<BFloat16> clips(kClips);
  Batch<double> wide(kClips);
  for (size_t i = 0; i < wide.values.size(); ++i)
    wide.values[i] = static_cast<double>(static_cast<float>(clips.values[i]));
  std::vector<double> a(2), b(2);
  half.train_step({.clips = clips.tensor(), .labels = clips.labels, .losses = a});
  full.train_step({.clips = wide.tensor(), .labels = wide.labels, .losses = b});
  CHECK(distance(a, b) < 0.05);
  const auto g = all_gradients(half), want = all_gradients(full);
  double dot = 0, gg = 0, ww = 0;
  for (size_t i = 0; i < g.size(); ++i) dot += g[i] * want[i], gg += g[i] * g[i], ww += want[i] * want[i];
  CHECK(dot / std::sqrt(gg * ww) > 0.98);
}

TEST_CASE("an error in the middle of a step leaves the network usable") {
  OddBackend backend;
  Network network(backend, DType::f32, small_spec());
  network.store().initialize(3);
  Batch<float> batch(kClips);
  std::vector<double> losses(2);
  network.train_step(
      {.clips = batch.tensor(), .labels = batch.labels, .seed = 7, .step = 1, .losses = losses});
  network.store().zero_gradients();
  network.train_step(
      {.clips = batch.tensor(), .labels = batch.labels, .seed = 7, .step = 1, .losses = losses});
  const auto want = all_gradients(network);
  for (const int after : {0, 1, 4}) {
    backend.fail_in = after;
    CHECK_THROWS_WITH_AS(
        network.train_step(
            {.clips = batch.tensor(), .labels = batch.labels, .seed = 7, .step = 1, .losses = losses}),
        doctest::Contains("the device caught fire"), Error);
    backend.fail_in = std::numeric_limits<int>::max();
    network.store().zero_gradients();
    network.train_step(
        {.clips = batch.tensor(), .labels = batch.labels, .seed = 7, .step = 1, .losses = losses});
    CHECK(distance(all_gradients(network), want) == 0);
  }
}

TEST_CASE("planned bytes are what the step then takes; evaluation needs less") {
  ReferenceBackend backend;
  Network network(backend, DType::f32, small_spec());
  network.store().initialize(3);
  Batch<float> batch(kClips);
  std::vector<double> losses(2);
  const size_t planned = network.planned_bytes(kClips, Mode::train);
  CHECK(network.activation_bytes() == 0);
  network.train_step(
      {.clips = batch.tensor(), .labels = batch.labels, .seed = 7, .step = 1, .losses = losses});
  CHECK(network.activation_bytes() == planned);
  CHECK(network.planned_bytes(kClips, Mode::evaluate) < planned / 2);
}

TEST_CASE("a batch that does not fit is refused with the batch that does") {
  OddBackend backend;
  Network network(backend, DType::f32, small_spec());
  network.store().initialize(3);
  Batch<float> batch({8, 3, 4, 12, 14});
  batch.labels.assign(8, 1);
  const size_t needed = network.planned_bytes(batch.shape, Mode::train);
  const auto step = [&] {
    network.train_step({.clips = batch.tensor(), .labels = batch.labels, .seed = 7, .step = 1});
  };
  // An eighth of so little is kept for what else a run needs.
  backend.free = needed / 8 * 5;
  CHECK_THROWS_WITH_AS(step(), doctest::Contains("a batch of 8 clips of 4 x 12 x 14 needs"), Error);
  CHECK_THROWS_WITH_AS(step(), doctest::Contains("Use --batch 4 or less"), Error);
  backend.free = needed / 9;
  CHECK_THROWS_WITH_AS(step(), doctest::Contains("Not even one clip fits"), Error);
  backend.free = needed;
  CHECK_THROWS_WITH_AS(step(), doctest::Contains("are kept for what else a run needs"), Error);
  backend.free = needed / 7 * 8 + 64;
  CHECK_NOTHROW(step());
}

TEST_CASE("clips and labels that do not fit are refused in words") {
  ReferenceBackend backend;
  Network network(backend, DType::f32, small_spec());
  network.store().initialize(3);
  std::vector<double> losses(2);
  Batch<float> gray({2, 1, 4, 8, 8}), empty({2, 3, 0, 8, 8}), good(kClips);
  const auto step = [&](Batch<float>& batch) {
    network.train_step({.clips = batch.tensor(), .labels = batch.labels, .losses = losses});
  };
  CHECK_THROWS_WITH_AS(
      step(gray), doctest::Contains("stem.0: the convolution takes 3 channels, but its input has 1"), Error);
  CHECK_THROWS_WITH_AS(step(empty), doctest::Contains("does not fit an input of 0 frames of 8x8"), Error);
  good.labels = {0, 5};
  CHECK_THROWS_WITH_AS(step(good), doctest::Contains("clip 1 of the batch has the label 5"), Error);
  good.labels = {-1, 0};
  CHECK_THROWS_AS(step(good), Error);
  good.labels = {0, 1};
  CHECK_NOTHROW(step(good));
  CHECK_THROWS_AS(network.evaluate(good.tensor(), losses),
                  std::logic_error);  // room for 2 of 10 probabilities
}

TEST_CASE("find_non_finite names the first place") {
  ReferenceBackend backend;
  Network network(backend, DType::f32, small_spec());
  network.store().initialize(3);
  Batch<float> batch(kClips);
  CHECK(network.find_non_finite(batch.tensor(), 0, 0) == "");
  batch.values[17] = std::numeric_limits<float>::infinity();
  CHECK(network.find_non_finite(batch.tensor(), 0, 0) == "the clips (1 of 4032 values)");
  batch.values[17] = 0;
  Parameter* weight = nullptr;
  for (Parameter* p : network.store().list().parameters)
    if (p->name == "layer2.0.conv1.0.3.weight") weight = p;
  REQUIRE(weight);
  weight->value.as<float>()[2] = std::numeric_limits<float>::quiet_NaN();
  CHECK(network.find_non_finite(batch.tensor(), 0, 0) ==
        "the weights layer2.0.conv1.0.3.weight (1 of 570 values)");
  network.store().initialize(3);
  for (float& value : batch.values) value = 3e38f;  // finite, but not after the first convolution
  CHECK(network.find_non_finite(batch.tensor(), 0, 0).starts_with("the output of stem.0 ("));
}
