// Parameter counts, multiply-accumulates and names of the published architectures.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "models/builder.h"
#include "models/families.h"

using namespace laban;

namespace {

struct Totals {
  int64_t parameters = 0, macs = 0, conv_outputs = 0;
};

Totals totals(const ModelSpec& spec, const Shape& clips) {
  std::vector<LayerRow> rows;
  build_layers(spec)->describe(clips, rows);
  Totals sum;
  for (const LayerRow& row : rows) {
    sum.parameters += row.parameters;
    sum.macs += row.macs;
    if (row.kind.starts_with("conv")) sum.conv_outputs += row.activations;
  }
  return sum;
}

const Shape kClip{1, 3, 16, 112, 112};

ModelSpec deeper(const char* family, const char* name, BlockKind block, int64_t classes = 400) {
  ModelSpec spec = model_by_name(family, classes);
  spec.name = name;
  spec.block = block;
  constexpr int blocks[4] = {3, 4, 6, 3};
  for (size_t i = 0; i < 4; ++i) spec.stages[i].blocks = blocks[i];
  return spec;
}

ModelSpec hara(ModelSpec spec) {
  spec.stem_kernel = {7, 7, 7};
  spec.stem_max_pool = true;
  return spec;
}

}  // namespace

TEST_CASE("parameter counts and multiply-accumulates of the published tables") {
  struct Row {
    ModelSpec spec;
    int64_t parameters;
    double gmac;
    int gmac_digits;  // after the point, as published
    int conv_mib;     // 0: not known
  };
  const auto per_conv = [](ModelSpec spec) {
    spec.midplanes = MidplanesRule::per_conv;
    return spec;
  };
  const ModelSpec r2plus1d_34 = deeper("r2plus1d_18", "r2plus1d_34", BlockKind::basic);
  const ModelSpec r2plus1d_50 = deeper("r2plus1d_18", "r2plus1d_50", BlockKind::bottleneck);
  const ModelSpec r3d_50 = deeper("r3d_18", "r3d_50", BlockKind::bottleneck);
  const std::vector<Row> table{
      {model_by_name("r3d_18", 400), 33371472, 40.697, 3, 81},
      {model_by_name("mc3_18", 400), 11695440, 43.343, 3, 115},
      {model_by_name("r2plus1d_18", 400), 31505325, 40.519, 3, 240},
      {per_conv(model_by_name("r2plus1d_18", 400)), 33370839, 41.496, 3, 0},
      {r2plus1d_34, 61831661, 75.2, 1, 0},
      {per_conv(r2plus1d_34), 63697175, 76.2, 1, 0},
      {r3d_50, 46980944, 54.673, 3, 430},
      {r2plus1d_50, 53949691, 65.2, 1, 592},
      {per_conv(r2plus1d_50), 46985057, 57.7, 1, 0},
      {hara(r3d_50), 47018576, 10.07, 2, 65},
      {hara(model_by_name("r3d_18", 400)), 33409104, 8.31, 2, 21},
  };
  for (const Row& row : table) {
    CAPTURE(row.spec.name);
    const Totals sum = totals(row.spec, kClip);
    CHECK(sum.parameters == row.parameters);
    CHECK(std::abs(static_cast<double>(sum.macs) * 1e-9 - row.gmac) <=
          0.5001 * std::pow(10.0, -row.gmac_digits));
    if (row.conv_mib)
      CHECK(std::lround(static_cast<double>(sum.conv_outputs) * 4 / (1 << 20)) == row.conv_mib);
  }
}

TEST_CASE("parameter counts with 10 classes") {
  const auto count = [](const ModelSpec& spec) { return totals(spec, kClip).parameters; };
  CHECK(count(model_by_name("r3d_18", 10)) == 33171402);
  CHECK(count(model_by_name("mc3_18", 10)) == 11495370);
  CHECK(count(model_by_name("r2plus1d_18", 10)) == 31305255);
  CHECK(count(deeper("r3d_18", "r3d_50", BlockKind::bottleneck, 10)) == 46181834);
}

TEST_CASE("MC3 keeps every frame to the end, R3D halves them three times") {
  const auto last_map = [](const char* name) {
    std::vector<LayerRow> rows;
    build_layers(model_by_name(name, 400))->describe(kClip, rows);
    return rows[rows.size() - 3].output;  // before the pool and the linear layer
  };
  CHECK(last_map("mc3_18") == Shape{1, 512, 16, 7, 7});
  CHECK(last_map("r3d_18") == Shape{1, 512, 2, 7, 7});
  CHECK(last_map("r2plus1d_18") == Shape{1, 512, 2, 7, 7});
}

TEST_CASE("middle channels of R(2+1)D: the published odd numbers") {
  CHECK(matched_midplanes(64, 64) == 144);
  CHECK(matched_midplanes(64, 128) == 230);
  CHECK(matched_midplanes(128, 256) == 460);
  CHECK(matched_midplanes(256, 512) == 921);
  CHECK(matched_midplanes(128, 128) == 288);
}

TEST_CASE("names are torchvision's state-dict keys") {
  ParameterList list;
  const auto body = build_layers(model_by_name("r2plus1d_18", 400));
  body->collect(list);
  std::vector<std::string> names;
  for (const Parameter* p : list.parameters) names.push_back(p->name);
  const std::vector<std::string> head{"stem.0.weight",
                                      "stem.1.weight",
                                      "stem.1.bias",
                                      "stem.3.weight",
                                      "stem.4.weight",
                                      "stem.4.bias",
                                      "layer1.0.conv1.0.0.weight",
                                      "layer1.0.conv1.0.1.weight",
                                      "layer1.0.conv1.0.1.bias",
                                      "layer1.0.conv1.0.3.weight",
                                      "layer1.0.conv1.1.weight",
                                      "layer1.0.conv1.1.bias",
                                      "layer1.0.conv2.0.0.weight"};
  CHECK(std::vector(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(head.size())) == head);
  const std::set<std::string> all(names.begin(), names.end());
  CHECK(all.size() == names.size());
  for (const char* name : {"layer2.0.downsample.0.weight", "layer2.0.downsample.1.bias",
                           "layer4.1.conv2.0.3.weight", "layer4.1.conv2.1.bias", "fc.weight", "fc.bias"})
    CHECK_MESSAGE(all.contains(name), name);
  CHECK(!all.contains("layer1.0.downsample.0.weight"));
  const auto weight = std::find_if(list.parameters.begin(), list.parameters.end(),
                                   [](const Parameter* p) { return p->name == "layer2.1.conv1.0.0.weight"; });
  REQUIRE(weight != list.parameters.end());
  CHECK((*weight)->shape == Shape{288, 128, 1, 3, 3});
  std::vector<std::string> statistics;
  for (const Statistic* s : list.statistics) statistics.push_back(s->name);
  CHECK(statistics.front() == "stem.1.running_mean");
  CHECK(statistics.back() == "layer4.1.conv2.1.running_var");
}

TEST_CASE("unknown names and impossible specifications are refused in words") {
  CHECK_THROWS_WITH_AS(model_by_name("r3d_19", 10), doctest::Contains("Known models: r3d_18"), UsageError);
  CHECK_THROWS_AS(model_by_name("r3d_18", 0), UsageError);
  ModelSpec even = model_by_name("r3d_18", 10);
  even.stem_kernel = {3, 4, 4};
  CHECK_THROWS_WITH_AS(build_layers(even), doctest::Contains("odd"), Error);
  ModelSpec skipping = model_by_name("mc3_18", 10);
  skipping.stages[1].stride = {2, 2, 2};
  CHECK_THROWS_WITH_AS(build_layers(skipping), doctest::Contains("temporal stride"), Error);
  ModelSpec hollow = model_by_name("r3d_18", 10);
  hollow.stages.clear();
  CHECK_THROWS_WITH_AS(build_layers(hollow), doctest::Contains("no stages"), Error);
}
