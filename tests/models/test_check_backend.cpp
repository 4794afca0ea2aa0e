// CheckBackend: a correct backend passes and its errors are reported; a faulty one is stopped, naming the op.
#include "core/rng.h"
#include "reference/check_backend.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <map>

#include "core/error.h"
#include "cpu/cpu_backend.h"
#include "models/families.h"
#include "models/network.h"

using namespace laban;

namespace {

const Shape kClips{2, 3, 4, 16, 16};

ModelSpec spec() {
  ModelSpec tiny = model_by_name("r2plus1d_tiny", 4);
  tiny.options.dropout = 0.3;
  return tiny;
}

/// A training step and its update on random clips.
template <class T>
void step(Network& network, Backend& backend) {
  std::vector<T> pixels(static_cast<size_t>(kClips.count()));
  Rng rng(5, Purpose::test);
  for (T& v : pixels) v = T(static_cast<float>(rng.normal()));
  const std::vector<int32_t> labels{1, 3};
  std::vector<double> losses(2);
  network.store().zero_gradients();
  network.train_step({.clips = Tensor(pixels.data(), kClips),
                      .labels = labels,
                      .loss = {.smoothing = 0.1},
                      .seed = 7,
                      .step = 1,
                      .losses = losses});

  ParameterStore& store = network.store();
  std::vector<double> control{0.01, 1};
  std::vector<float> velocity(static_cast<size_t>(store.weights().count()));
  const ParameterSegment all{0, store.weights().count(), 1, 1e-4};
  SgdStep sgd{.common = {.weights = store.weights(),
                         .grads = store.grads(),
                         .working = {},
                         .control = Tensor(control.data(), Shape::vector(2)),
                         .norm_squared = {},
                         .segments = std::span(&all, 1)},
              .velocity = Tensor(velocity.data(), Shape::vector(store.weights().count())),
              .momentum = 0.9};
  backend.run(sgd, {});
}

/// What a kernel with a mistake does: here, to one op at a time.
struct Mistaken : CpuBackend {
  using CpuBackend::CpuBackend;
  using CpuBackend::run;
  std::string mistake;

  void run(const ConvForward& op, Scratch scratch) override {
    CpuBackend::run(op, scratch);
    if (mistake != "border") return;
    const Shape& shape = op.y.shape;  // the last row of each frame, by a little
    for (int64_t t = 0; t < shape.t; ++t)
      for (int64_t i = 0; i < shape.w * shape.c; ++i)
        op.y.as<float>()[shape.index(0, t, shape.h - 1, 0, 0) + i] *= 1.0001f;
  }
  void run(const ConvBackwardWeights& op, Scratch scratch) override {
    CpuBackend::run(op, scratch);
    if (mistake == "dw") op.dw.as<float>()[op.dw.count() / 2] += 0.5f;
  }
  void run(const BatchNormBackward& op, Scratch scratch) override {
    BatchNormBackward other = op;
    other.frozen = op.frozen || mistake == "frozen";
    CpuBackend::run(other, scratch);
  }
  void run(const MaxPoolForward& op, Scratch scratch) override {
    CpuBackend::run(op, scratch);
    if (mistake == "tap") op.taps.as<uint8_t>()[0] ^= 1;
  }
  void run(const Dropout& op, Scratch scratch) override {
    Dropout other = op;
    other.seed += mistake == "seed";
    CpuBackend::run(other, scratch);
  }
  void run(const SgdStep& op, Scratch scratch) override {
    if (mistake != "lazy") CpuBackend::run(op, scratch);
  }
};

/// Products as tensor cores make them in tf32: of factors cut to 10 bits of fraction.
struct CutFactors : CpuBackend {
  using CpuBackend::CpuBackend;
  using CpuBackend::run;

  void run(const ConvForward& op, Scratch scratch) override {
    std::vector<float> x = cut(op.x), &w = weights_[op.w.data] = cut(op.w);
    ConvForward other = op;
    other.x.data = x.data();
    other.w.data = w.data();
    CpuBackend::run(other, scratch);
  }
  std::map<const void*, std::vector<float>>
      weights_;  // they stay: the backend knows weights by their address
  static std::vector<float> cut(const Tensor& tensor) {
    std::vector<float> values(tensor.as<float>(), tensor.as<float>() + tensor.count());
    for (float& value : values) value = std::bit_cast<float>(std::bit_cast<uint32_t>(value) & 0xffffe000u);
    return values;
  }
};

std::string complaint(const std::string& mistake, ModelSpec which = spec()) {
  Mistaken backend(1);
  CheckBackend check(backend, 1);
  Network network(check, DType::f32, std::move(which));
  network.store().initialize(3);
  backend.mistake = mistake;
  try {
    step<float>(network, check);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a sound backend agrees with the reference in every op of a step") {
  for (const DType compute : {DType::f32, DType::bf16}) {
    CAPTURE(compute);
    CpuBackend backend(1);
    CheckBackend check(backend, 1);
    Network network(check, compute, spec());
    network.store().initialize(3);
    compute == DType::f32 ? step<float>(network, check) : step<BFloat16>(network, check);
    const auto& checked = check.checked();
    for (const char* op : {"conv.forward", "conv.backward_data", "conv.backward_weights", "batch_norm.train",
                           "batch_norm.backward", "linear.forward", "dropout", "cross_entropy", "sgd"}) {
      CAPTURE(op);
      REQUIRE(checked.contains(op));
      CHECK(checked.at(op).runs > 0);
      CHECK(checked.at(op).fraction <= 1);
    }
    CHECK(checked.at("conv.forward").error > 0);  // rounded otherwise than f64
    const int64_t runs = checked.at("conv.forward").runs;
    compute == DType::f32 ? step<float>(network, check) : step<BFloat16>(network, check);  // one too many
    CHECK(check.checked().at("conv.forward").runs == runs);
  }
}

TEST_CASE("a mistake in one op is told with the layer, the op and the tensor") {
  CHECK(complaint("").empty());
  const std::string dw = complaint("dw");
  CHECK(dw.find("layer layer") == 0);
  CHECK(dw.find("op conv.backward_weights on 'cpu' disagrees with the reference: dw (f32, ") !=
        std::string::npos);
  CHECK(complaint("border").find("op conv.forward on 'cpu' disagrees with the reference: y") !=
        std::string::npos);
  CHECK(complaint("frozen").find("batch_norm.backward") != std::string::npos);
  CHECK(complaint("seed").find("layer dropout: op dropout") == 0);
  CHECK(complaint("lazy").find("op sgd on 'cpu' disagrees with the reference: weights") == 0);
  CHECK(complaint("tap", model_by_name("resnet3d_18", 4)).find("max_pool.forward on 'cpu'") !=
        std::string::npos);
}

TEST_CASE("where little remains of a long sum, its rounding is no mistake") {
  // As in a stem: frames of one brightness, and gradients that a batch norm has centered.
  const Shape in{2, 3, 4, 64, 64}, out{2, 8, 4, 32, 32};
  CpuBackend backend(1);
  CheckBackend check(backend, 1);
  std::vector<float> x(static_cast<size_t>(in.count())), dy(static_cast<size_t>(out.count()));
  std::vector<float> dw(8 * 3 * 7 * 7);
  Rng rng(1, Purpose::test);
  for (float& value : x) value = static_cast<float>(1 + 1e-4 * rng.normal());
  const size_t half = dy.size() / 2;
  for (size_t i = 0; i < half; ++i) dy[half + i] = -(dy[i] = static_cast<float>(std::abs(rng.normal())));
  ConvBackwardWeights op{Tensor(x.data(), in),
                         Tensor(dy.data(), out),
                         Tensor(dw.data(), Shape{8, 3, 1, 7, 7}),
                         {},
                         Window{{1, 7, 7}, {1, 2, 2}, {0, 3, 3}}};
  backend.prepare(op);
  std::vector<std::byte> scratch(backend.scratch_bytes(op));
  check.run(op, {scratch.data(), scratch.size()});
  CHECK(check.checked().at("conv.backward_weights").fraction < 0.5);
  CHECK(check.checked().at("conv.backward_weights").error > 0.01);

  dw.assign(dw.size(), 0);
  Mistaken mistaken(1);  // half of one, where 6500 went into the sum
  mistaken.mistake = "dw";
  CheckBackend other(mistaken, 1);
  CHECK_THROWS_WITH_AS(other.run(op, {scratch.data(), scratch.size()}),
                       doctest::Contains("times what rounding explains"), Error);
}

TEST_CASE("factors cut to tf32 are a mistake, unless tf32 was asked for") {
  const auto worst = [](bool tf32) {
    CutFactors backend(1);
    CheckBackend check(backend, 1, tf32);
    Network network(check, DType::f32, spec());
    network.store().initialize(3);
    step<float>(network, check);
    return check.checked().at("conv.forward");
  };
  CHECK(worst(true).fraction < 0.5);
  CHECK(worst(true).error > 1e-5);
  CHECK_THROWS_WITH_AS(worst(false), doctest::Contains("op conv.forward"), Error);
}
