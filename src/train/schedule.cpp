#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace laban {

double learning_rate(const ScheduleSettings& s, int64_t step) {
  if (step < s.warmup_steps) {
    const double share = static_cast<double>(step) / static_cast<double>(s.warmup_steps);
    return s.base * (s.warmup_start + (1 - s.warmup_start) * share);
  }
  switch (s.kind) {
    case ScheduleKind::constant:
      return s.base;
    case ScheduleKind::step: {
      const auto passed = std::ranges::count_if(s.milestones, [&](int64_t m) { return m <= step; });
      return s.base * std::pow(s.gamma, static_cast<double>(passed));
    }
    case ScheduleKind::cosine: {
      const auto decaying = static_cast<double>(std::max<int64_t>(1, s.total_steps - s.warmup_steps));
      const double share = std::min(1.0, static_cast<double>(step - s.warmup_steps) / decaying);
      return s.last + (s.base - s.last) * (1 + std::cos(std::numbers::pi * share)) / 2;
    }
  }
  return s.base;
}

}  // namespace laban
