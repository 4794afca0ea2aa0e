// The learning rate as a pure function of the step.
//
// Warm-up, for step s < W:      lr = base * (start + (1 - start) * s / W)
// afterwards, for T steps in total:
//   constant                    lr = base
//   step                        lr = base * gamma^(milestones <= s)
//   cosine                      lr = last + (base - last) * (1 + cos(pi * (s - W) / (T - W))) / 2
// (linear warm-up: Goyal et al. 2017; cosine: Loshchilov and Hutter 2017, without restarts.)
#pragma once

#include <cstdint>
#include <vector>

namespace laban {

enum class ScheduleKind { constant, step, cosine };

struct ScheduleSettings {
  ScheduleKind kind = ScheduleKind::cosine;
  double base_lr = 2e-3;
  double warmup_epochs = 1;
  double warmup_start = 0.01;           // as a fraction of base_lr
  double last_lr = 0;                   // cosine
  std::vector<double> milestones = {};  // step: epochs from which the rate is multiplied by gamma
  double gamma = 0.1;
  bool operator==(const ScheduleSettings&) const = default;
};

class Schedule {
 public:
  /// Epochs become steps, rounded to the nearest.
  Schedule(const ScheduleSettings& settings, int64_t epochs, int64_t steps_per_epoch);

  /// The learning rate of step `step`, counted from 0.
  double learning_rate(int64_t step) const;

 private:
  ScheduleSettings settings_;
  int64_t total_steps_, warmup_steps_;
  std::vector<int64_t> milestones_;  // steps
};

}  // namespace laban
