// Parameter counts, multiply-accumulates and names of the published architectures.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "models/builder.h"
#include "models/families.h"
#include "models/summary.h"

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

ModelSpec per_conv(const char* name) {
  ModelSpec spec = model_by_name(name, 400);
  spec.options.midplanes = MidplanesRule::per_conv;
  return spec;
}

ModelSpec with_shortcut_a(const char* name) {
  ModelSpec spec = model_by_name(name, 400);
  spec.options.shortcut = ShortcutKind::subsample;
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
  const std::vector<Row> table{
      {model_by_name("r3d_18", 400), 33371472, 40.697, 3, 81},
      {model_by_name("mc3_18", 400), 11695440, 43.343, 3, 115},
      {model_by_name("r2plus1d_18", 400), 31505325, 40.519, 3, 240},
      {per_conv("r2plus1d_18"), 33370839, 41.496, 3, 0},
      {model_by_name("r2plus1d_34", 400), 61831661, 75.2, 1, 0},
      {per_conv("r2plus1d_34"), 63697175, 76.2, 1, 0},
      {model_by_name("r3d_50", 400), 46980944, 54.673, 3, 430},
      {model_by_name("r2plus1d_50", 400), 53949691, 65.2, 1, 592},
      {per_conv("r2plus1d_50"), 46985057, 57.7, 1, 0},
      {model_by_name("resnet3d_50", 400), 47018576, 10.07, 2, 65},
      {model_by_name("resnet3d_18", 400), 33409104, 8.31, 2, 21},
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
  CHECK(count(model_by_name("r3d_50", 10)) == 46181834);
}

TEST_CASE("parameter counts that no table has, counted by hand") {
  const auto count = [](const ModelSpec& spec) { return totals(spec, kClip).parameters; };
  const int64_t r3d = count(model_by_name("r3d_18", 400));
  // rMC3: the stem's kernel has one frame instead of three, and so have the four convolutions of stage 1.
  CHECK(count(model_by_name("rmc3_18", 400)) == r3d - 64 * 3 * 2 * 49 - 4 * 64 * 64 * 2 * 9);
  // Shortcut A saves three projections and their batch norms.
  const int64_t projections = 64 * 128 + 128 * 256 + 256 * 512, norms = 2 * (128 + 256 + 512);
  CHECK(count(with_shortcut_a("resnet3d_18")) ==
        count(model_by_name("resnet3d_18", 400)) - projections - norms);
  // 34 layers: 1, 2, 4 and 1 more blocks of two 3x3x3 convolutions with a batch norm each.
  const auto block = [](int64_t planes) { return 2 * (planes * planes * 27 + 2 * planes); };
  const int64_t more = block(64) + 2 * block(128) + 4 * block(256) + block(512);
  CHECK(count(model_by_name("r3d_34", 400)) == r3d + more);
  CHECK(count(model_by_name("resnet3d_34", 400)) == count(model_by_name("resnet3d_18", 400)) + more);
}

TEST_CASE("a model says which public definition it equals") {
  const auto named = [](const char* name) { return public_definition(model_by_name(name, 7)); };
  CHECK(named("r3d_18") == "torchvision.models.video.r3d_18");
  CHECK(named("r2plus1d_18") == "torchvision.models.video.r2plus1d_18");
  CHECK(named("r3d_50").find("VideoResNet with Bottleneck") != std::string::npos);
  CHECK(named("resnet3d_34") == "Hara et al.'s 3D-ResNets-PyTorch, resnet, depth 34, shortcut B");
  CHECK(public_definition(with_shortcut_a("resnet3d_34")).ends_with("shortcut A"));
  CHECK(named("r2plus1d_tiny").starts_with("none"));
  ModelSpec vmz = per_conv("r2plus1d_34");
  CHECK(public_definition(vmz).find("R(2+1)D-34") != std::string::npos);
  vmz.options.norm_eps = 1e-3;
  CHECK(public_definition(vmz) == "VMZ's r2plus1d, depth 34");
  vmz.options.midplanes = MidplanesRule::torchvision;
  CHECK(public_definition(vmz).starts_with("none"));
  // Another network under a known name equals nothing.
  ModelSpec wider = model_by_name("r3d_18", 400);
  wider.stages[3].planes = 640;
  CHECK(public_definition(wider).starts_with("none"));
  CHECK(public_definition(with_shortcut_a("r3d_18")).starts_with("none"));
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
  CHECK(last_map("rmc3_18") == Shape{1, 512, 2, 7, 7});
  CHECK(last_map("resnet3d_50") == Shape{1, 2048, 1, 4, 4});
}

TEST_CASE("any clip that has a pixel and a frame goes through every family") {
  for (const char* name : {"r3d_18", "mc3_18", "rmc3_18", "r2plus1d_18", "resnet3d_18", "r3d_50"}) {
    CAPTURE(name);
    const auto body = build_layers(model_by_name(name, 3));
    for (const Shape& clips : {Shape{1, 3, 1, 1, 1}, Shape{2, 3, 7, 33, 90}, Shape{1, 3, 64, 224, 171}})
      CHECK(body->output_shape(clips) == Shape::matrix(clips.n, 3));
    CHECK_THROWS_WITH_AS(body->output_shape({1, 3, 0, 32, 32}), doctest::Contains("stem.0"), Error);
    CHECK_THROWS_WITH_AS(body->output_shape({1, 4, 8, 32, 32}), doctest::Contains("channels"), Error);
  }
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
  CHECK_THROWS_WITH_AS(model_by_name("r3d_19", 10), doctest::Contains("Available: r3d_18"), UsageError);
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
