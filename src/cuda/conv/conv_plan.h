// The plan for each convolution: made once, kept.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "cuda/conv/cudnn_plan.h"
#include "cuda/conv/plan_file.h"

namespace laban::cuda {

struct ConvPlan {
  Plan plan;
  double milliseconds = 0;  // 0: not timed
};

/// Milliseconds of one run. Throws Error where the plan cannot be run: then another one is taken.
using PlanTimer = std::function<double(const Plan&)>;
/// A timer for the plans of one problem, with tensors to run them on for as long as it lives. Throws Error
/// where memory is short.
using MakePlanTimer = std::function<PlanTimer(const ConvProblem&)>;

/// Chooses among cuDNN's engines, in this order: where there is a `timer`, what the file remembers, then the
/// fastest; what cuDNN's heuristics put first. Nothing here needs a GPU but the timer.
class ConvPlans {
 public:
  struct Settings {
    PlanFile file;                               // of winners by time; only with a timer is it written
    MakePlanTimer timer;                         // none: trust the heuristics
    size_t workspace_limit = size_t{256} << 20;  // bytes; more only where nothing works with less
  };
  ConvPlans(DeviceProperties device, Settings settings);

  /// Null where cuDNN has no engine for it. The pointer stays valid.
  const ConvPlan* find(const ConvProblem& problem);
  /// Throws Error naming the problem and the last refusal where there is none.
  const ConvPlan& get(const ConvProblem& problem);

  const DeviceProperties& device() const { return device_; }
  const PlanFile& file() const { return settings_.file; }

 private:
  struct Entry {
    std::unique_ptr<ConvPlan> plan;  // null: there is none
    std::string refusal;             // the last one heard
  };
  Entry& entry(const ConvProblem& problem);
  std::unique_ptr<ConvPlan> remembered(const ConvGraph& graph);
  std::unique_ptr<ConvPlan> fastest(const ConvGraph& graph, std::string* refusal);
  std::unique_ptr<ConvPlan> first(const ConvGraph& graph, Search search, std::string* refusal);

  DeviceProperties device_;
  Settings settings_;
  std::map<ConvProblem, Entry> entries_;
};

}  // namespace laban::cuda
