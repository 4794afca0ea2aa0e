#include "cuda/conv/conv_plan.h"

#include "core/machine_error.h"

namespace laban::cuda {
namespace {

// Of what cuDNN offers, best first, this much is timed: an engine in a few of its settings, as the first
// dozen may all be settings of one. Those compiled at run time cost about a second each before they can be.
constexpr int kMostTimed = 32, kMostOfEngine = 8, kMostCompiled = 4;

}  // namespace

ConvPlans::ConvPlans(DeviceProperties device, Settings settings)
    : device_(std::move(device)), settings_(std::move(settings)) {}

const ConvPlan* ConvPlans::find(const ConvProblem& problem) { return entry(problem).plan.get(); }

const ConvPlan& ConvPlans::get(const ConvProblem& problem) {
  const Entry& found = entry(problem);
  if (found.plan) return *found.plan;
  throw Error(text("cuDNN has no engine on ", device_.name(), " for a convolution ", problem,
                   found.refusal.empty() ? "" : "; the last it tried said: ", found.refusal),
              problem.deterministic ? "Try --no-deterministic or another precision, or a newer cuDNN."
                                    : "Try another precision, or a newer cuDNN.");
}

ConvPlans::Entry& ConvPlans::entry(const ConvProblem& problem) {
  const auto [at, is_new] = entries_.try_emplace(problem);
  Entry& entry = at->second;
  if (!is_new) return entry;
  const ConvGraph graph(problem, device_);
  // What was remembered was found by timing, and counts only where that is asked for: or else a run would
  // compute other bits once somebody has timed.
  if (settings_.timer) entry.plan = remembered(graph);
  if (!entry.plan && settings_.timer) entry.plan = fastest(graph, &entry.refusal);
  if (!entry.plan) entry.plan = first(graph, Search::quick, &entry.refusal);
  if (!entry.plan || entry.plan->plan.workspace_bytes() > settings_.workspace_limit) {
    std::unique_ptr<ConvPlan> other = first(graph, Search::thorough, &entry.refusal);
    if (!entry.plan || (other && other->plan.workspace_bytes() < entry.plan->plan.workspace_bytes()))
      entry.plan = std::move(other);
  }
  return entry;
}

std::unique_ptr<ConvPlan> ConvPlans::remembered(const ConvGraph& graph) {
  const std::optional<PlanRecord> record = settings_.file.find(graph.problem());
  if (!record) return nullptr;
  std::optional<EngineConfig> config = engine(graph, device_, record->choice);
  if (!config) return nullptr;
  std::optional<Plan> plan = Plan::make(std::move(*config), device_);
  if (!plan) return nullptr;
  return std::make_unique<ConvPlan>(ConvPlan{std::move(*plan), record->milliseconds});
}

std::unique_ptr<ConvPlan> ConvPlans::fastest(const ConvGraph& graph, std::string* refusal) {
  std::unique_ptr<ConvPlan> best;
  PlanTimer time;
  try {
    time = settings_.timer(graph.problem());
  } catch (const MachineError&) {
    throw;
  } catch (const Error& error) {
    *refusal = error.what();
    return nullptr;
  }
  int timed = 0, compiled = 0;
  std::map<int64_t, int> of_engine;
  for (EngineConfig& config : engines(graph, device_, Search::thorough)) {
    if (timed == kMostTimed) break;
    if (of_engine[config.choice.engine]++ >= kMostOfEngine) continue;
    if (config.notes.compiled && compiled++ >= kMostCompiled) continue;
    std::optional<Plan> plan = Plan::make(std::move(config), device_, refusal);
    if (!plan || plan->workspace_bytes() > settings_.workspace_limit) continue;
    try {
      const double milliseconds = time(*plan);
      ++timed;
      if (!best || milliseconds < best->milliseconds)
        best = std::make_unique<ConvPlan>(ConvPlan{std::move(*plan), milliseconds});
    } catch (const MachineError&) {
      throw;  // the GPU is gone: no other engine would do better
    } catch (const Error& error) {
      *refusal = error.what();
    }
  }
  if (best) settings_.file.remember(graph.problem(), {best->plan.choice(), best->milliseconds});
  return best;
}

std::unique_ptr<ConvPlan> ConvPlans::first(const ConvGraph& graph, Search search, std::string* refusal) {
  std::optional<Plan> smallest;
  for (EngineConfig& config : engines(graph, device_, search)) {
    std::optional<Plan> plan = Plan::make(std::move(config), device_, refusal);
    if (!plan) continue;
    if (!smallest || plan->workspace_bytes() < smallest->workspace_bytes()) smallest = std::move(plan);
    if (smallest->workspace_bytes() <= settings_.workspace_limit) break;
  }
  if (!smallest) return nullptr;
  return std::make_unique<ConvPlan>(ConvPlan{std::move(*smallest), 0});
}

}  // namespace laban::cuda
