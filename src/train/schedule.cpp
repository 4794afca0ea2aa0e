#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace laban {

Schedule::Schedule(const ScheduleSettings& settings, int64_t epochs, int64_t steps_per_epoch)
    : settings_(settings), total_steps_(epochs * steps_per_epoch) {
  const auto steps = [&](double in_epochs) {
    return static_cast<int64_t>(in_epochs * static_cast<double>(steps_per_epoch) + 0.5);
  };
  warmup_steps_ = steps(settings.warmup_epochs);
  for (const double epoch : settings.milestones) milestones_.push_back(steps(epoch));
}

double Schedule::learning_rate(int64_t step) const {
  const ScheduleSettings& s = settings_;
  if (step < warmup_steps_) {
    const double fraction = static_cast<double>(step) / static_cast<double>(warmup_steps_);
    return s.base_lr * (s.warmup_start + (1 - s.warmup_start) * fraction);
  }
  switch (s.kind) {
    case ScheduleKind::constant:
      return s.base_lr;
    case ScheduleKind::step: {
      const auto passed = std::ranges::count_if(milestones_, [&](int64_t m) { return m <= step; });
      return s.base_lr * std::pow(s.gamma, static_cast<double>(passed));
    }
    case ScheduleKind::cosine: {
      const auto decaying = static_cast<double>(std::max<int64_t>(1, total_steps_ - warmup_steps_));
      const double fraction = std::min(1.0, static_cast<double>(step - warmup_steps_) / decaying);
      return s.last_lr + (s.base_lr - s.last_lr) * (1 + std::cos(std::numbers::pi * fraction)) / 2;
    }
  }
  return s.base_lr;
}

}  // namespace laban
