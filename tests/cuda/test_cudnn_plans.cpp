// Every convolution of every model, in every precision and direction, has an engine in cuDNN for an H200, and
// a plan that can be made: asked of cuDNN itself, without a GPU, from the GPU's description
// (h200-device.json).
#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>

#include "conv_collector.h"
#include "cuda/conv/conv_plan.h"
#include "cuda/conv/unfolded.h"
#include "cuda_fixture.h"
#include "models/families.h"
#include "models/network.h"
#include "support/op_cases.h"

using namespace laban;
using namespace laban::cuda;
using namespace laban::test;

namespace {

std::vector<MathMode> modes_of(DType compute) {
  if (compute == DType::bf16) return {MathMode::bf16};
  return {MathMode::f32, MathMode::tf32};
}

ConvGeometry unfolded_in(MathMode math, const CollectedConv& conv) {
  if (math != MathMode::bf16) return conv.geometry;
  return unfolded(conv.geometry, conv.own_channels, 8).value_or(conv.geometry);
}

/// As cuda/convolution.cpp asks: stems unfolded, folded, without what cuBLAS does, weights accumulated where
/// cuDNN can.
std::set<ConvProblem> problems(const std::set<CollectedConv>& convolutions, MathMode math) {
  std::set<ConvProblem> all;
  for (const CollectedConv& conv : convolutions) {
    if (is_pointwise(conv.geometry)) continue;
    const auto pass = static_cast<ConvPass>(conv.pass);
    const bool accumulates =
        pass == ConvPass::weights ? math != MathMode::bf16 : pass == ConvPass::data && conv.accumulate;
    all.insert({.pass = pass,
                .geometry = folded(unfolded_in(math, conv)),
                .math = math,
                .epilogue = accumulates ? ConvEpilogue::accumulate : ConvEpilogue::none,
                .deterministic = true});
  }
  return all;
}

std::set<CollectedConv> of_model(const std::string& name, DType compute) {
  ConvCollector collector(true);
  Network network(collector, compute, model_by_name(name, 400));
  network.planned_bytes({8, 3, 16, 112, 112}, Mode::train);
  return collector.convolutions();
}

std::set<CollectedConv> of_op_cases(DType compute) {
  ConvCollector collector(false);
  for (const OpCase& op_case : op_cases())
    if (op_case.name.starts_with("conv.")) {
      OpRig rig(collector, compute, false, 1);
      op_case.body(rig);
    }
  return collector.convolutions();
}

}  // namespace

TEST_CASE("every convolution of every model has a plan, in every precision and direction") {
  if (!cudnn_can_load()) return;
  for (const DType compute : {DType::f32, DType::bf16}) {
    std::set<CollectedConv> convolutions;
    for (const std::string& name : model_names()) convolutions.merge(of_model(name, compute));
    REQUIRE(convolutions.size() > 100);
    for (const MathMode math : modes_of(compute)) {
      ConvPlans plans(h200(), {});
      const std::set<ConvProblem> all = problems(convolutions, math);
      for (const ConvProblem& problem : all) CHECK_NOTHROW(plans.get(problem));
      MESSAGE(name_of(math), ": ", all.size(), " convolutions planned");
    }
  }
}

TEST_CASE("every convolution of the op case table has a plan, whatever its channels") {
  if (!cudnn_can_load()) return;
  for (const DType compute : {DType::f32, DType::bf16})
    for (const MathMode math : modes_of(compute)) {
      ConvPlans plans(h200(), {});
      for (const ConvProblem& problem : problems(of_op_cases(compute), math))
        CHECK_NOTHROW(plans.get(problem));
    }
}

TEST_CASE("f32 never meets a tensor core, TF32 does; what changes from run to run is left out where asked") {
  if (!cudnn_can_load()) return;
  const DeviceProperties device = h200();
  const ConvGeometry geometry{{8, 64, 16, 56, 56}, {8, 64, 16, 56, 56}, {{3, 3, 3}, {1, 1, 1}, {1, 1, 1}}};
  const auto any = [&](MathMode math, bool deterministic, auto&& member) {
    const ConvGraph graph({ConvPass::data, geometry, math, ConvEpilogue::none, deterministic}, device);
    const std::vector<EngineConfig> found = engines(graph, device, Search::thorough);
    REQUIRE(!found.empty());
    return std::any_of(found.begin(), found.end(),
                       [&](const EngineConfig& config) { return config.notes.*member; });
  };
  CHECK_FALSE(any(MathMode::f32, true, &EngineNotes::tensor_cores));
  CHECK(any(MathMode::tf32, true, &EngineNotes::tensor_cores));
  CHECK(any(MathMode::bf16, true, &EngineNotes::tensor_cores));
  CHECK_FALSE(any(MathMode::f32, true, &EngineNotes::nondeterministic));
  CHECK(any(MathMode::f32, false, &EngineNotes::nondeterministic));
  CHECK_FALSE(any(MathMode::bf16, false, &EngineNotes::rounds_sums));
}

TEST_CASE("fused graphs have engines: gradients added in f32") {
  if (!cudnn_can_load()) return;
  const DeviceProperties device = h200();
  std::set<CollectedConv> convolutions = of_model("r3d_18", DType::bf16);
  convolutions.merge(of_model("r2plus1d_18", DType::bf16));
  for (const CollectedConv& conv : convolutions) {
    const ConvGeometry geometry = folded(conv.geometry);
    // The first stage has every kind of kernel; asking for fused engines takes cuDNN a quarter of a second.
    if (geometry.x.c != 64 && geometry.y.c != 64) continue;
    CAPTURE(geometry.x);
    CAPTURE(geometry.y);
    CAPTURE(geometry.window);
    if (conv.pass != CollectedConv::Pass::weights) continue;
    const ConvGraph graph({ConvPass::weights, geometry, MathMode::bf16, ConvEpilogue::accumulate, true},
                          device);
    CHECK(!engines(graph, device, Search::quick).empty());
  }
}
