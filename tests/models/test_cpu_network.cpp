// Layers and networks on the CPU backend, in f32 and bf16, against the reference in f64.
#include <doctest/doctest.h>

#include <cmath>

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
