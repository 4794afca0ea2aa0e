// How a plan is chosen, and remembered: by the file, by the clock, by cuDNN's heuristics, in this order.
#include <doctest/doctest.h>

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "core/files.h"
#include "cuda/conv/conv_plan.h"
#include "cuda_fixture.h"

using namespace laban;
using namespace laban::cuda;
using namespace laban::test;

namespace {

const ConvGeometry kGeometry{{2, 64, 4, 14, 14}, {2, 64, 4, 14, 14}, {{3, 3, 3}, {1, 1, 1}, {1, 1, 1}}};
const ConvProblem kProblem{ConvPass::forward, kGeometry, MathMode::bf16, ConvEpilogue::none, true};

/// The same timer for every problem.
MakePlanTimer timer_of(PlanTimer timer) {
  return [timer = std::move(timer)](const ConvProblem&) { return timer; };
}

/// A file that is not there yet, and is gone when the test ends.
class TemporaryFile {
 public:
  TemporaryFile() : folder_(std::filesystem::temp_directory_path() / text("laban-plans-", getpid())) {
    std::filesystem::remove_all(folder_);
  }
  ~TemporaryFile() { std::filesystem::remove_all(folder_); }
  std::filesystem::path path() const { return folder_ / "plans.json"; }

 private:
  std::filesystem::path folder_;
};

bool has(const std::string& message, const char* part) { return message.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a plan file gives back what was remembered, for this GPU and problem alone") {
  const TemporaryFile file;
  const PlanRecord record{{62, {{2, 5}, {13, 1}, {27, 7}}}, 0.125};
  ConvProblem other = kProblem;
  other.deterministic = false;
  {
    PlanFile plans(file.path(), "GPU A, cuDNN 9.19.0");
    CHECK(plans.complaint() == "");
    CHECK_FALSE(plans.find(kProblem).has_value());
    plans.remember(kProblem, record);
    CHECK(plans.complaint() == "");
  }
  PlanFile again(file.path(), "GPU A, cuDNN 9.19.0");
  REQUIRE(again.find(kProblem).has_value());
  CHECK(again.find(kProblem)->choice == record.choice);
  CHECK(again.find(kProblem)->milliseconds == record.milliseconds);
  CHECK_FALSE(again.find(other).has_value());

  PlanFile elsewhere(file.path(), "GPU B, cuDNN 9.19.0");
  CHECK_FALSE(elsewhere.find(kProblem).has_value());
  elsewhere.remember(kProblem, {{7, {}}, 1});
  CHECK(PlanFile(file.path(), "GPU A, cuDNN 9.19.0").find(kProblem)->choice == record.choice);
}

TEST_CASE("a plan file of an earlier version, which called GPUs cards, is read") {
  const TemporaryFile file;
  const PlanRecord record{{62, {{2, 5}}}, 0.125};
  PlanFile(file.path(), "A").remember(kProblem, record);
  std::string content = read_file(file.path());
  const size_t at = content.find("\"gpus\"");
  REQUIRE(at != std::string::npos);
  write_file(file.path(), content.replace(at, 6, "\"cards\""));
  const PlanFile earlier(file.path(), "A");
  CHECK(earlier.complaint() == "");
  REQUIRE(earlier.find(kProblem).has_value());
  CHECK(earlier.find(kProblem)->choice == record.choice);
}

TEST_CASE("a plan file that cannot be used is complained of, and replaced") {
  const TemporaryFile file;
  std::filesystem::create_directories(file.path().parent_path());
  for (const char* content : {"{ not json", "[1, 2]", R"({"format": "something else"})",
                              R"({"format": "laban cuDNN plans, version 1", "gpus": {"c": {"p": {}}}})"}) {
    CAPTURE(content);
    write_file(file.path(), content);
    PlanFile plans(file.path(), "c");
    CHECK(has(plans.complaint(), "plans.json"));
    CHECK_FALSE(plans.find(kProblem).has_value());
    plans.remember(kProblem, {{1, {}}, 1});
    CHECK(PlanFile(file.path(), "c").complaint() == "");
    CHECK(PlanFile(file.path(), "c").find(kProblem).has_value());
  }
}

TEST_CASE("where a plan file cannot be written the plans still serve") {
  PlanFile plans("/proc/laban/plans.json", "c");
  plans.remember(kProblem, {{1, {}}, 1});
  CHECK(has(plans.complaint(), "/proc/laban"));
  CHECK(plans.find(kProblem).has_value());
}

TEST_CASE("the fastest engine wins, and is not searched for again") {
  if (!cudnn_can_load()) return;
  const TemporaryFile file;
  int calls = 0;
  EngineChoice slowest, winner;
  {
    // The clock runs down: each engine is faster than the one before.
    ConvPlans plans(h200(), {.file = PlanFile(file.path(), "GPU"), .timer = [&](const ConvProblem& problem) {
                               CHECK(problem == kProblem);
                               return [&](const Plan& plan) {
                                 if (calls == 0) slowest = plan.choice();
                                 winner = plan.choice();
                                 return 100.0 - ++calls;
                               };
                             }});
    const ConvPlan& plan = plans.get(kProblem);
    CHECK(calls > 4);
    CHECK(plan.plan.choice() == winner);
    CHECK_FALSE(plan.plan.choice() == slowest);
    CHECK(plan.milliseconds == 100.0 - calls);
    CHECK(&plans.get(kProblem) == &plan);
  }
  const int searched = calls;
  ConvPlans again(h200(), {.file = PlanFile(file.path(), "GPU"),
                           .timer = timer_of([&](const Plan&) { return ++calls; })});
  const ConvPlan& plan = again.get(kProblem);
  CHECK(plan.plan.choice() == winner);
  CHECK(plan.milliseconds == 100.0 - searched);
  CHECK(calls == searched);
}

TEST_CASE("what was found by timing is not used where nobody asks for timing") {
  if (!cudnn_can_load()) return;
  const TemporaryFile file;
  ConvPlans heuristics(h200(), {});
  const EngineChoice first = heuristics.get(kProblem).plan.choice();
  double last = 100;  // the clock runs down: the last engine wins
  ConvPlans timed(h200(), {.file = PlanFile(file.path(), "GPU"),
                           .timer = timer_of([&](const Plan&) { return last -= 1; })});
  REQUIRE_FALSE(timed.get(kProblem).plan.choice() == first);
  ConvPlans untimed(h200(), {.file = PlanFile(file.path(), "GPU"), .timer = {}});
  CHECK(untimed.get(kProblem).plan.choice() == first);
}

TEST_CASE(
    "where the same bits are asked for in every run, nothing is compiled at run time that need not be") {
  if (!cudnn_can_load()) return;
  const DeviceProperties device = h200();
  const auto compiled = [&](ConvPass pass, ConvEpilogue epilogue, bool deterministic) {
    const ConvGraph graph({pass, kGeometry, MathMode::bf16, epilogue, deterministic}, device);
    const std::vector<EngineConfig> found = engines(graph, device, Search::thorough);
    REQUIRE(!found.empty());
    return std::any_of(found.begin(), found.end(), [](const EngineConfig& c) { return c.notes.compiled; });
  };
  CHECK_FALSE(compiled(ConvPass::forward, ConvEpilogue::none, true));
  CHECK(compiled(ConvPass::forward, ConvEpilogue::none, false));
  CHECK(compiled(ConvPass::weights, ConvEpilogue::accumulate, true));
}

TEST_CASE("in bf16 the first engine has tensor cores wherever one has") {
  if (!cudnn_can_load()) return;
  // For this one cuDNN's model of the GPU begins with an engine that has none.
  const ConvGeometry strided{{128, 64, 1, 56, 56}, {128, 128, 1, 28, 28}, {{1, 1, 1}, {1, 2, 2}, {0, 0, 0}}};
  for (const ConvGeometry& geometry : {kGeometry, strided}) {
    ConvPlans plans(h200(), {});
    CHECK(plans.get({ConvPass::forward, geometry, MathMode::bf16, ConvEpilogue::none, true})
              .plan.notes()
              .tensor_cores);
  }
}

TEST_CASE("engines that cannot be run are passed over; with none timed, the heuristics decide") {
  if (!cudnn_can_load()) return;
  int calls = 0;
  ConvPlans all_fail(h200(), {.file = {}, .timer = timer_of([&](const Plan&) -> double {
                                            ++calls;
                                            throw Error("no memory");
                                          })});
  CHECK(all_fail.get(kProblem).milliseconds == 0);
  CHECK(calls > 1);

  ConvPlans one_works(h200(), {.file = {}, .timer = timer_of([&, seen = 0](const Plan&) mutable {
                                             if (++seen != 2) throw Error("no memory");
                                             return 3.0;
                                           })});
  CHECK(one_works.get(kProblem).milliseconds == 3);

  ConvPlans no_tensors(
      h200(), {.file = {}, .timer = [](const ConvProblem&) -> PlanTimer { throw Error("no memory"); }});
  CHECK(no_tensors.get(kProblem).milliseconds == 0);
}

TEST_CASE("a remembered engine that this cuDNN does not have is searched for anew") {
  if (!cudnn_can_load()) return;
  const TemporaryFile file;
  PlanFile(file.path(), "GPU").remember(kProblem, {{99999, {{2, 5}}}, 0.1});
  const auto timer = timer_of([](const Plan&) { return 1.0; });
  ConvPlans plans(h200(), {.file = PlanFile(file.path(), "GPU"), .timer = timer});
  CHECK(plans.get(kProblem).plan.choice().engine != 99999);

  // Nor is one taken that may not serve: tensor cores for f32.
  ConvProblem tf32{ConvPass::forward, kGeometry, MathMode::tf32, ConvEpilogue::none, true}, f32 = tf32;
  f32.math = MathMode::f32;
  const DeviceProperties device = h200();
  const ConvGraph graph(tf32, device);
  for (const EngineConfig& config : engines(graph, device, Search::thorough))
    if (config.notes.tensor_cores) {
      CHECK(engine(graph, device, config.choice).has_value());
      CHECK_FALSE(engine(ConvGraph(f32, device), device, config.choice).has_value());
    }
}

TEST_CASE("little workspace is preferred, and more taken where nothing works with less") {
  if (!cudnn_can_load()) return;
  ConvProblem problem = kProblem;
  problem.math = MathMode::f32;
  const auto bytes_with = [&](size_t limit) {
    ConvPlans plans(h200(), {.file = {}, .timer = {}, .workspace_limit = limit});
    return plans.get(problem).plan.workspace_bytes();
  };
  const size_t usual = bytes_with(size_t{1} << 40);
  CHECK(bytes_with(0) <= usual);
  CHECK(bytes_with(usual) == usual);
}

TEST_CASE("a convolution that cuDNN cannot do is named") {
  if (!cudnn_can_load()) return;
  ConvProblem problem{ConvPass::weights, kGeometry, MathMode::bf16, ConvEpilogue::accumulate, true};
  problem.geometry.x.c = 45;  // the fused addition wants channels in multiples of 8
  ConvPlans plans(h200(), {});
  CHECK(plans.find(problem) == nullptr);
  try {
    plans.get(problem);
    FAIL("no error");
  } catch (const Error& error) {
    const std::string message = error.what();
    CHECK(has(message, "cuDNN has no engine on NVIDIA H200"));
    CHECK(has(message, "weights 2x4x14x14x45 -> 2x4x14x14x64, 3x3x3 s1x1x1 p1x1x1, bf16"));
    CHECK(has(message, "another precision"));
  }
}

TEST_CASE("a description of a GPU that is none is refused") {
  for (const char* json : {"", "{", "[]", "{}", R"({"deviceName": 3})"}) {
    CAPTURE(json);
    CHECK_THROWS_AS(DeviceProperties::from_json(json), Error);
  }
}
