// Whole networks on the GPU: gradients, twenty steps, recorded and not, and bit-identical repetition.
#include <doctest/doctest.h>

#include <cmath>

#include "core/rng.h"
#include "models/families.h"
#include "models/gradcheck.h"
#include "models/network.h"
#include "reference/reference_backend.h"
#include "support/gpu.h"
#include "train/optimizer.h"

using namespace laban;
using namespace laban::test;

namespace {

const Shape kClips{4, 3, 8, 32, 32};
constexpr int kSteps = 20;
/// Small, for twenty steps to stay where rounding can be told from mistakes: at 1e-2 the f32 and the f64
/// reference are 2 % apart at the end, as single ReLUs decide otherwise.
constexpr double kLearningRate = 1e-4;

struct Run {
  std::vector<double> losses;   // the mean of each step
  std::vector<double> weights;  // after the last
  std::vector<double> before;   // and before the first
};

/// The reference, whose convolutions are as far off as sums in f32 in some other order may be: by `noise`
/// times the rms of what they give.
class InexactReference : public ReferenceBackend {
 public:
  explicit InexactReference(double noise) : noise_(noise), rng_(5, Purpose::test) {}

  using ReferenceBackend::run;
  void run(const ConvForward& op, Scratch scratch) override {
    ReferenceBackend::run(op, scratch);
    disturb(op.y);
  }
  void run(const ConvBackwardData& op, Scratch scratch) override {
    ReferenceBackend::run(op, scratch);
    disturb(op.dx);
  }
  void run(const ConvBackwardWeights& op, Scratch scratch) override {
    ReferenceBackend::run(op, scratch);
    disturb(op.dw);
  }

 private:
  void disturb(const Tensor& tensor) {
    auto* const values = tensor.as<float>();
    const int64_t count = tensor.count();
    double squares = 0;
    for (int64_t i = 0; i < count; ++i)
      squares += static_cast<double>(values[i]) * static_cast<double>(values[i]);
    const double size = noise_ * std::sqrt(squares / static_cast<double>(count));
    for (int64_t i = 0; i < count; ++i) values[i] += static_cast<float>(size * rng_.normal());
  }

  double noise_;
  Rng rng_;
};
/// A few times what sums of some thousand products in f32 have been seen to be off.
constexpr double kF32Noise = 2e-6;

/// Steps of SGD with momentum on r2plus1d_tiny, a new batch in each; the clips are exact in bf16.
Run train(Backend& backend, DType compute, int steps = kSteps) {
  ModelSpec spec = model_by_name("r2plus1d_tiny", 5);
  Network network(backend, compute, spec);
  network.store().initialize(3);
  Optimizer optimizer(network.store(), {.kind = OptimizerKind::sgd, .weight_decay = 1e-4});
  const Shape stored = network.storage_shape(kClips);
  const auto pixels = backend.allocate(static_cast<size_t>(kClips.count()) * 4);
  const auto converted = backend.allocate(static_cast<size_t>(stored.count()) * size_of(compute));
  const Tensor from(pixels->data(), DType::f32, kClips, backend.device());
  const Tensor clips(converted->data(), compute, stored, backend.device());
  Rng rng(2, Purpose::test);
  Run run;
  const auto all_weights = [&] {
    std::vector<double> all;
    for (const Parameter* p : network.store().list().parameters) {
      const auto part = network.store().read(network.store().weights(), *p);
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  };
  run.before = all_weights();
  std::vector<float> values(static_cast<size_t>(kClips.count()));
  std::vector<double> losses(4);
  for (int step = 0; step < steps; ++step) {
    for (float& v : values) v = static_cast<float>(BFloat16(static_cast<float>(rng.normal())));
    std::vector<int32_t> labels(4);
    for (int32_t& label : labels) label = static_cast<int32_t>(rng.integer(0, 4));
    backend.upload(from, values.data());
    backend.run(Cast{from, clips}, {});
    network.store().zero_gradients();
    network.train_step({.clips = clips,
                        .labels = labels,
                        .loss = {.scale = 0.25},
                        .seed = 1,
                        .step = static_cast<uint64_t>(step)});
    optimizer.step(kLearningRate);
    network.results(losses);
    CHECK(std::isfinite(optimizer.gradient_norm()));
    double sum = 0;
    for (const double loss : losses) sum += loss;
    run.losses.push_back(sum / 4);
  }
  run.weights = all_weights();
  return run;
}

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double difference = 0, size = 0;
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    size += b[i] * b[i];
  }
  return std::sqrt(difference / size);
}

}  // namespace

TEST_CASE("on the GPU: gradients of every layer and family are the reference's") {
  const auto cuda = gpu({.managed = true});
  if (!cuda) return;
  ReferenceBackend reference;
  for (const auto* cases : {&gradcheck_layer_cases(), &gradcheck_model_cases()})
    for (const GradcheckCase& check : *cases)
      for (const GradcheckRow& row : compare_gradients(reference, *cuda, check)) {
        INFO(row.layer, ' ', row.variant, ' ', row.tensor);
        CHECK(row.kinked == 0);
        CHECK(row.error <= kCompareTolerance);
      }
}

TEST_CASE("on the GPU: twenty steps beside the reference's") {
  const auto cuda = gpu();
  if (!cuda) return;
  const auto tf32 = gpu({.tf32 = true});
  ReferenceBackend reference;
  const Run exact = train(reference, DType::f64), single = train(*cuda, DType::f32);
  const Run tensor_cores = train(*tf32, DType::f32), half = train(*cuda, DType::bf16);
  // What rounding costs is told by the reference: in bf16 it rounds at the same places, in f32 it is made as
  // inexact as a GPU may be.
  InexactReference inexact(kF32Noise);
  const Run single_reference = train(inexact, DType::f32), half_reference = train(reference, DType::bf16);
  const double moved = distance(exact.before, exact.weights);
  const double f32_cost = distance(single_reference.weights, exact.weights);
  const double bf16_cost = distance(half_reference.weights, exact.weights);
  MESSAGE("twenty steps move the weights by ", moved, "; distance from f64 after them: reference f32 ",
          f32_cost, ", cuda f32 ", distance(single.weights, exact.weights), ", cuda tf32 ",
          distance(tensor_cores.weights, exact.weights), "; reference bf16 ", bf16_cost, ", cuda bf16 ",
          distance(half.weights, exact.weights));
  const double f32_loss_cost = distance(single_reference.losses, exact.losses);
  const double bf16_loss_cost = distance(half_reference.losses, exact.losses);
  MESSAGE("losses: reference f32 ", f32_loss_cost, ", cuda f32 ", distance(single.losses, exact.losses),
          "; reference bf16 ", bf16_loss_cost, ", cuda bf16 ", distance(half.losses, exact.losses));
  CHECK(f32_cost < 0.02 * moved);  // else nothing could be told
  CHECK(bf16_cost < 0.5 * moved);
  CHECK(distance(single.weights, exact.weights) < 5 * f32_cost);
  CHECK(distance(half.weights, exact.weights) < 2 * bf16_cost);
  CHECK(distance(tensor_cores.weights, exact.weights) < bf16_cost);
  CHECK(distance(single.losses, exact.losses) < 5 * f32_loss_cost);
  CHECK(distance(half.losses, exact.losses) < 3 * bf16_loss_cost);
}

TEST_CASE("on the GPU: the same bits in every run, recorded or not") {
  const auto recorded = gpu();
  if (!recorded) return;
  const auto plain = gpu({.graph = false});
  for (const DType compute : {DType::f32, DType::bf16}) {
    constexpr int kFew = 6;  // planned, recorded, and replayed a few times
    const Run first = train(*recorded, compute, kFew), again = train(*recorded, compute, kFew),
              one_by_one = train(*plain, compute, kFew);
    CHECK(first.weights == again.weights);
    CHECK(first.losses == again.losses);
    CHECK(first.weights == one_by_one.weights);
    CHECK(first.losses == one_by_one.losses);
  }
}

TEST_CASE("on the GPU: an upload beside the ops arrives before those that wait for it") {
  const auto cuda = gpu();
  if (!cuda) return;
  const Shape shape = Shape::vector(1 << 22);
  const auto staging = cuda->allocate_staging(static_cast<size_t>(shape.c) * 4);
  const auto memory = cuda->allocate(static_cast<size_t>(shape.c) * 4),
             copy = cuda->allocate(memory->bytes());
  const Tensor to(memory->data(), DType::f32, shape, Device::cuda),
      out(copy->data(), DType::f32, shape, Device::cuda);
  auto* values = static_cast<float*>(staging->data());
  std::vector<float> back(static_cast<size_t>(shape.c));
  for (int round = 0; round < 5; ++round) {
    for (int64_t i = 0; i < shape.c; ++i) values[i] = static_cast<float>(i % 1000 + round);
    cuda->begin_upload(to, values);
    cuda->await_uploads();
    cuda->run(Cast{to, out}, {});
    cuda->download(back.data(), out);
    CHECK(std::equal(back.begin(), back.end(), values));
  }
}

TEST_CASE("on the GPU: a batch that does not fit is refused with the one that does") {
  const auto cuda = gpu();
  if (!cuda) return;
  Network network(*cuda, DType::f32, model_by_name("r2plus1d_18", 400));
  const Shape one{1, 3, 16, 112, 112};
  const size_t bytes = network.planned_bytes(one, Mode::train);
  const auto free = static_cast<double>(cuda->free_bytes().value());
  Shape many = network.storage_shape(one);
  many.n = static_cast<int64_t>(1.2 * free / static_cast<double>(bytes)) + 1;
  alignas(64) static std::byte nowhere[64];
  const std::vector<int32_t> labels(static_cast<size_t>(many.n), 0);
  CHECK_THROWS_WITH_AS(
      network.train_step(
          {.clips = Tensor(nowhere, DType::f32, many, Device::cuda), .labels = labels, .seed = 1, .step = 1}),
      doctest::Contains("GiB free"), Error);
}
