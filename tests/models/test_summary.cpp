// The receptive field against a definition without formulas: which inputs change an output?
#include <doctest/doctest.h>

#include <algorithm>

#include "models/builder.h"
#include "models/families.h"
#include "models/summary.h"
#include "reference/reference_backend.h"

using namespace laban;

namespace {

/// Extent along each axis of the clip's gradient, for a cotangent at the middle of the output.
std::array<int64_t, 3> measured_field(const ModelSpec& spec, const Shape& clip, size_t layers) {
  ReferenceBackend backend;
  const auto body = build_layers(spec);
  ParameterList list;
  body->collect(list);
  ParameterStore store(backend, DType::f64, list);
  store.initialize(1);
  // All weights 1 and all inputs positive: no path is cut off by a ReLU. Frozen statistics keep places apart.
  for (const Parameter* p : store.list().parameters)
    store.write(store.weights(), *p, std::vector<double>(static_cast<size_t>(p->shape.count()), 1.0));
  std::vector<double> x(static_cast<size_t>(clip.count()), 1.0);
  std::array<int64_t, 3> extent{};
  Arena arena(backend);
  for (const bool dry : {true, false}) {
    arena.begin_pass();
    StepContext ctx{.backend = backend, .arena = arena, .mode = Mode::frozen, .compute = DType::f64};
    Value h = Value::external(Tensor(x.data(), clip));
    for (size_t i = 0; i < layers; ++i) h = body->layers()[i]->forward(ctx, h);
    Value d = ctx.take(h.shape());
    ctx.run(SetZero{d.tensor()});
    const Shape& y = h.shape();
    if (!dry) d.tensor().as<double>()[y.index(0, y.t / 2, y.h / 2, y.w / 2, 0)] = 1;
    h.reset();
    for (size_t i = layers; i-- > 0;) d = body->layers()[i]->backward(ctx, std::move(d), true);
    if (dry) {
      d.reset();
      arena.commit();
      continue;
    }
    std::array<int64_t, 3> low{clip.t, clip.h, clip.w}, high{-1, -1, -1};
    for (int64_t t = 0; t < clip.t; ++t)
      for (int64_t r = 0; r < clip.h; ++r)
        for (int64_t c = 0; c < clip.w; ++c)
          if (d.tensor().as<double>()[clip.index(0, t, r, c, 0)] != 0) {
            const std::array<int64_t, 3> at{t, r, c};
            for (size_t axis = 0; axis < 3; ++axis) {
              low[axis] = std::min(low[axis], at[axis]);
              high[axis] = std::max(high[axis], at[axis]);
            }
          }
    for (size_t axis = 0; axis < 3; ++axis) extent[axis] = high[axis] - low[axis] + 1;
  }
  return extent;
}

}  // namespace

TEST_CASE("the receptive field is what an output depends on") {
  for (const char* name : {"r3d_tiny", "mc3_tiny", "r2plus1d_tiny"}) {
    CAPTURE(name);
    ModelSpec spec = model_by_name(name, 2);
    spec.stem_planes = 1;
    spec.stem_midplanes = 1;
    spec.stages.resize(2);
    for (StageSpec& stage : spec.stages) stage.planes = 2;
    const Shape clip{1, 3, 25, 49, 49};
    const Summary summary = summarize(spec, clip);
    // The last layer of the second block, and the layers of the body before the global pool.
    const auto last = std::find_if(summary.rows.begin(), summary.rows.end(), [](const SummaryRow& row) {
      return row.layer.name == "layer2.0.conv2.1";
    });
    REQUIRE(last != summary.rows.end());
    const size_t stem = spec.stem == StemKind::factorized ? 4 : 2;
    CHECK(measured_field(spec, clip, stem + 2) == last->receptive_field);
  }
}

TEST_CASE("the receptive field of published models, computed by hand") {
  const Summary summary = summarize(model_by_name("r3d_18", 400), {1, 3, 16, 112, 112});
  const auto field = [&](const char* name) {
    for (const SummaryRow& row : summary.rows)
      if (row.layer.name == name) return row.receptive_field;
    throw std::logic_error(name);
  };
  using Triple = std::array<int64_t, 3>;
  CHECK(field("stem.0") == Triple{3, 7, 7});
  CHECK(field("stem.1") == Triple{3, 7, 7});
  CHECK(field("layer1.1.conv2.1") == Triple{3 + 4 * 2, 7 + 4 * 4, 7 + 4 * 4});
  CHECK(field("layer2.0.conv1.0") == Triple{13, 27, 27});
  CHECK(field("layer2.0.conv2.0") == Triple{17, 35, 35});
  CHECK(field("layer2.0.downsample.0") == Triple{0, 0, 0});
}

TEST_CASE("a batch costs its clips") {
  const ModelSpec spec = model_by_name("r2plus1d_tiny", 10);
  const Summary one = summarize(spec, {1, 3, 8, 32, 32}), four = summarize(spec, {4, 3, 8, 32, 32});
  CHECK(four.macs == 4 * one.macs);
  CHECK(four.activations == 4 * one.activations);
  CHECK(four.parameters == one.parameters);
  CHECK_THROWS_AS(summarize(spec, {1, 3, 8, 0, 32}), Error);
}
