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
  double base = 0.01;
  int64_t total_steps = 1;
  int64_t warmup_steps = 0;
  double warmup_start = 0.01;            // as a fraction of base
  double last = 0;                       // cosine: final learning rate
  std::vector<int64_t> milestones = {};  // step: steps at which the rate is multiplied by gamma
  double gamma = 0.1;
};

/// The learning rate in step `step`, counted from 0.
double learning_rate(const ScheduleSettings& settings, int64_t step);

}  // namespace laban
