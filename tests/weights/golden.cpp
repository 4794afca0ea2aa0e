#include "weights/golden.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/files.h"
#include "models/families.h"

namespace laban::test {
namespace {

/// n, t, h, w, c from or to n, c, t, h, w.
std::vector<double> reordered(const std::vector<double>& from, const Shape& s, bool to_torch) {
  std::vector<double> to(from.size());
  size_t i = 0;
  for (int64_t n = 0; n < s.n; ++n)
    for (int64_t c = 0; c < s.c; ++c)
      for (int64_t t = 0; t < s.t; ++t)
        for (int64_t h = 0; h < s.h; ++h)
          for (int64_t w = 0; w < s.w; ++w, ++i) {
            const size_t j = static_cast<size_t>(s.index(n, t, h, w, c));
            if (to_torch)
              to[i] = from[j];
            else
              to[j] = from[i];
          }
  return to;
}

}  // namespace

std::filesystem::path golden_folder() { return std::filesystem::path(LABAN_SOURCE_DIR) / "tests" / "golden"; }

nlohmann::json golden(const std::string& file) {
  return nlohmann::json::parse(read_file(golden_folder() / (file + ".json")));
}

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

ModelSpec golden_spec(const nlohmann::json& file) {
  ModelSpec spec = model_by_name(file["model"].get<std::string>(), file["classes"].get<int64_t>());
  const nlohmann::json& s = file["settings"];
  if (s.contains("planes"))
    for (size_t i = 0; i < spec.stages.size(); ++i) {
      spec.stages[i].planes = s["planes"][i].get<int64_t>();
      spec.stages[i].blocks = s["blocks"][i].get<int>();
    }
  spec.stem_planes = s.value("stem_planes", spec.stem_planes);
  spec.stem_midplanes = s.value("stem_midplanes", spec.stem_midplanes);
  if (s.value("block", "") == "bottleneck") spec.block = BlockKind::bottleneck;
  if (s.value("midplanes", "") == "per-conv") spec.options.midplanes = MidplanesRule::per_conv;
  if (s.value("shortcut", "") == "A") spec.options.shortcut = ShortcutKind::subsample;
  spec.options.norm_eps = s.value("norm_eps", spec.options.norm_eps);
  return spec;
}

void fill_by_formula(Network& network) {
  ParameterStore& store = network.store();
  store.initialize(1);  // statistics at 0 and 1
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

GoldenBatch::GoldenBatch(const nlohmann::json& file) {
  const auto e = file["clips"].get<std::vector<int64_t>>();
  shape = {e[0], e[1], e[2], e[3], e[4]};
  clips = formula("clips", shape.count());
  for (double& v : clips) v *= 4;
  clips = reordered(clips, shape, false);
  dclips.resize(clips.size());
  const auto classes = file["classes"].get<int64_t>();
  for (int64_t i = 0; i < shape.n; ++i) labels.push_back(static_cast<int32_t>((3 * i + 1) % classes));
}

std::vector<double> GoldenBatch::dclips_as_torch() const { return reordered(dclips, shape, true); }

void check_close(const std::vector<double>& got, const nlohmann::json& want) {
  REQUIRE(got.size() == want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    const double w = want[i].get<double>();
    CHECK(std::abs(got[i] - w) < 1e-10 * (1 + std::abs(w)));
  }
}

void check_projections(const std::string& name, const std::vector<double>& got, const nlohmann::json& want) {
  const double norm = want[0].get<double>(), product = want[1].get<double>();
  const std::vector<double> u = formula(name + "?", static_cast<int64_t>(got.size()));
  double squares = 0, sum = 0;
  for (size_t i = 0; i < got.size(); ++i) squares += got[i] * got[i], sum += got[i] * u[i];
  CAPTURE(std::string(name));
  const double allowed = 1e-9 * norm + 1e-13;
  CHECK(std::abs(std::sqrt(squares) - norm) < allowed);
  CHECK(std::abs(sum - product) < allowed * std::sqrt(static_cast<double>(got.size())));
}

}  // namespace laban::test
