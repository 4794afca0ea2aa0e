#include "train/schedule.h"

#include <doctest/doctest.h>

using namespace laban;

namespace {
double approx_relative = 1e-12;
doctest::Approx near(double value) { return doctest::Approx(value).epsilon(approx_relative); }
}  // namespace

TEST_CASE("warm-up grows linearly and ends where the rate begins") {
  ScheduleSettings s{.kind = ScheduleKind::constant, .base = 0.4, .total_steps = 100, .warmup_steps = 4};
  s.warmup_start = 0.25;
  // 0.4 * (1/4 + 3/4 * s/4)
  CHECK(learning_rate(s, 0) == near(0.1));
  CHECK(learning_rate(s, 1) == near(0.175));
  CHECK(learning_rate(s, 2) == near(0.25));
  CHECK(learning_rate(s, 3) == near(0.325));
  CHECK(learning_rate(s, 4) == near(0.4));
  CHECK(learning_rate(s, 99) == near(0.4));
}

TEST_CASE("step multiplies at each milestone") {
  ScheduleSettings s{.kind = ScheduleKind::step, .base = 0.1, .total_steps = 40, .warmup_steps = 2};
  s.warmup_start = 0;
  s.milestones = {10, 20, 30};
  s.gamma = 0.1;
  CHECK(learning_rate(s, 0) == 0);
  CHECK(learning_rate(s, 1) == near(0.05));
  CHECK(learning_rate(s, 9) == near(0.1));
  CHECK(learning_rate(s, 10) == near(0.01));
  CHECK(learning_rate(s, 19) == near(0.01));
  CHECK(learning_rate(s, 20) == near(0.001));
  CHECK(learning_rate(s, 39) == near(0.0001));
}

TEST_CASE("cosine falls along half a wave after warm-up") {
  ScheduleSettings s{.kind = ScheduleKind::cosine, .base = 2, .total_steps = 16, .warmup_steps = 4};
  s.last = 0.5;
  // 0.5 + 1.5 * (1 + cos(pi k / 12)) / 2 with cos 0 = 1, cos 60 = 1/2, cos 90 = 0, cos 120 = -1/2, cos 180 =
  // -1
  CHECK(learning_rate(s, 4) == near(2));
  CHECK(learning_rate(s, 8) == near(1.625));
  CHECK(learning_rate(s, 10) == near(1.25));
  CHECK(learning_rate(s, 12) == near(0.875));
  CHECK(learning_rate(s, 16) == near(0.5));
  CHECK(learning_rate(s, 1000) == near(0.5));
  for (int64_t step = 5; step < 16; ++step) CHECK(learning_rate(s, step) < learning_rate(s, step - 1));
}

TEST_CASE("a run that is all warm-up is no division by zero") {
  const ScheduleSettings s{.kind = ScheduleKind::cosine, .base = 1, .total_steps = 4, .warmup_steps = 4};
  CHECK(learning_rate(s, 4) == near(1));
}
