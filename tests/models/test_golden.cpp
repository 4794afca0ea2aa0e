// The same weights and clips in torchvision and here: logits, losses, gradients, running statistics,
// evaluation. golden_torchvision.inc is written by make_golden.py.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "models/families.h"
#include "models/network.h"
#include "reference/reference_backend.h"

using namespace laban;

namespace {

struct Projection {
  std::string name;
  double norm, product;  // with formula(name + "?")
};
struct Golden {
  std::string name;
  std::array<int64_t, 5> clips;  // n, c, t, h, w
  int64_t classes;
  std::vector<double> logits, losses, probabilities;
  std::vector<Projection> projections;
};

const std::vector<Golden>& golden() {
  static const std::vector<Golden> all{
#include "golden_torchvision.inc"
  };
  return all;
}

/// As in make_golden.py.
std::vector<double> formula(const std::string& name, int64_t count) {
  double sum = 0;
  for (const char c : name) sum += static_cast<double>(c);
  std::vector<double> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) {
    // Products stay apart from the sum: a fused multiply-add would round once where numpy rounds twice.
    volatile const double a = static_cast<double>(i) * 0.6180339887498949, b = sum * 0.7548776662466927;
    const double v = a + b;
    values[i] = v - std::floor(v) - 0.5;
  }
  return values;
}

ModelSpec spec_of(const Golden& want) {
  const std::string& name = want.name;
  const std::string family = name.substr(0, name.find_first_of(" _"));
  ModelSpec spec = model_by_name(family + "_18", want.classes);
  if (name == spec.name) return spec;
  spec.stem_midplanes = 5;
  const bool bottleneck = name.ends_with("bottleneck");
  if (bottleneck) spec.block = BlockKind::bottleneck;
  for (size_t i = 0; i < 4; ++i) {
    spec.stages[i].planes = bottleneck ? 4 : 6 + 2 * static_cast<int64_t>(i);
    spec.stages[i].blocks = bottleneck ? 1 : 2;
  }
  spec.stem_planes = spec.stages[0].planes;
  return spec;
}

void fill(Network& network) {
  ParameterStore& store = network.store();
  for (const Statistic* statistic : store.list().statistics)
    store.write(*statistic,
                std::vector<double>(static_cast<size_t>(statistic->shape.count()), statistic->initial));
  for (const Parameter* p : store.list().parameters) {
    std::vector<double> u = formula(p->name, p->shape.count());
    const double fan_in = static_cast<double>(p->shape.count() / p->shape.n);
    for (double& v : u) {
      if (p->rank == 1)
        v += p->name.ends_with("weight") ? 1 : 0;
      else
        v *= std::sqrt(12 / fan_in);
    }
    store.write(store.weights(), *p, u);
  }
  store.weights_changed(true);
}

/// n, c, t, h, w (PyTorch) to n, t, h, w, c and back.
std::vector<double> reordered(const std::vector<double>& from, const Shape& s, bool to_pytorch) {
  std::vector<double> to(from.size());
  size_t i = 0;
  for (int64_t n = 0; n < s.n; ++n)
    for (int64_t c = 0; c < s.c; ++c)
      for (int64_t t = 0; t < s.t; ++t)
        for (int64_t h = 0; h < s.h; ++h)
          for (int64_t w = 0; w < s.w; ++w, ++i) {
            const size_t j = static_cast<size_t>(s.index(n, t, h, w, c));
            if (to_pytorch)
              to[i] = from[j];
            else
              to[j] = from[i];
          }
  return to;
}

void check_close(const std::vector<double>& got, const std::vector<double>& want) {
  REQUIRE(got.size() == want.size());
  for (size_t i = 0; i < got.size(); ++i) CHECK(std::abs(got[i] - want[i]) < 1e-11 * (1 + std::abs(want[i])));
}

void check_projection(const std::vector<double>& got, const Projection& want) {
  const std::vector<double> u = formula(want.name + "?", static_cast<int64_t>(got.size()));
  double squares = 0, product = 0;
  for (size_t i = 0; i < got.size(); ++i) squares += got[i] * got[i], product += got[i] * u[i];
  CAPTURE(want.name);
  CHECK(want.norm > 1e-6);
  CHECK(std::abs(std::sqrt(squares) - want.norm) < 1e-9 * want.norm);
  CHECK(std::abs(product - want.product) < 1e-9 * want.norm * std::sqrt(static_cast<double>(got.size())));
}

}  // namespace

TEST_CASE("networks compute what torchvision's compute") {
  REQUIRE(golden().size() == 8);
  ReferenceBackend backend;
  for (const Golden& want : golden()) {
    CAPTURE(want.name);
    Network network(backend, DType::f64, spec_of(want));
    fill(network);
    const auto& [n, c, t, h, w] = want.clips;
    const Shape shape{n, c, t, h, w};
    std::vector<double> clips = formula("clips", shape.count());
    for (double& v : clips) v *= 4;
    clips = reordered(clips, shape, false);
    std::vector<double> dclips(clips.size());
    std::vector<int32_t> labels;
    for (int64_t i = 0; i < n; ++i) labels.push_back(static_cast<int32_t>((3 * i + 1) % want.classes));

    std::vector<double> losses(labels.size()), logits(want.logits.size()), probabilities(want.logits.size());
    network.train_step(Tensor(clips.data(), shape), labels,
                       {.smoothing = 0.1, .scale = 1.0 / static_cast<double>(n)}, 0, 0, losses, logits,
                       Mode::train, Tensor(dclips.data(), shape));
    check_close(logits, want.logits);
    check_close(losses, want.losses);
    network.evaluate(Tensor(clips.data(), shape), probabilities);
    check_close(probabilities, want.probabilities);

    ParameterStore& store = network.store();
    size_t known = 0;
    for (const Projection& projection : want.projections) {
      if (projection.name == "clips") {
        check_projection(reordered(dclips, shape, true), projection);
        ++known;
      }
      for (const Parameter* p : store.list().parameters)
        if (p->name == projection.name) check_projection(store.read(store.grads(), *p), projection), ++known;
      for (const Statistic* s : store.list().statistics)
        if (s->name == projection.name) check_projection(store.read(*s), projection), ++known;
    }
    CHECK(known == want.projections.size());
    if (want.name.find(' ') != std::string::npos)  // narrow members list every tensor
      CHECK(known == 1 + store.list().parameters.size() + store.list().statistics.size());
  }
}
