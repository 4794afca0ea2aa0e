#include "train/schedule.h"

#include <doctest/doctest.h>

using namespace laban;

namespace {
double approx_relative = 1e-12;
doctest::Approx near(double value) { return doctest::Approx(value).epsilon(approx_relative); }
}  // namespace

TEST_CASE("warm-up grows linearly and ends where the rate begins") {
  const Schedule s({.kind = ScheduleKind::constant, .base_lr = 0.4, .warmup_epochs = 4, .warmup_start = 0.25},
                   100, 1);
  // 0.4 * (1/4 + 3/4 * s/4)
  CHECK(s.learning_rate(0) == near(0.1));
  CHECK(s.learning_rate(1) == near(0.175));
  CHECK(s.learning_rate(2) == near(0.25));
  CHECK(s.learning_rate(3) == near(0.325));
  CHECK(s.learning_rate(4) == near(0.4));
  CHECK(s.learning_rate(99) == near(0.4));
}

TEST_CASE("step multiplies at each milestone") {
  const Schedule s({.kind = ScheduleKind::step,
                    .base_lr = 0.1,
                    .warmup_epochs = 2,
                    .warmup_start = 0,
                    .milestones = {10, 20, 30},
                    .gamma = 0.1},
                   40, 1);
  CHECK(s.learning_rate(0) == 0);
  CHECK(s.learning_rate(1) == near(0.05));
  CHECK(s.learning_rate(9) == near(0.1));
  CHECK(s.learning_rate(10) == near(0.01));
  CHECK(s.learning_rate(19) == near(0.01));
  CHECK(s.learning_rate(20) == near(0.001));
  CHECK(s.learning_rate(39) == near(0.0001));
}

TEST_CASE("cosine falls along half a wave after warm-up") {
  const Schedule s({.kind = ScheduleKind::cosine, .base_lr = 2, .warmup_epochs = 4, .last_lr = 0.5}, 16, 1);
  // 0.5 + 1.5 * (1 + cos(pi k / 12)) / 2 with cos 0 = 1, cos 60 = 1/2, cos 90 = 0, cos 120 = -1/2, cos 180 =
  // -1
  CHECK(s.learning_rate(4) == near(2));
  CHECK(s.learning_rate(8) == near(1.625));
  CHECK(s.learning_rate(10) == near(1.25));
  CHECK(s.learning_rate(12) == near(0.875));
  CHECK(s.learning_rate(16) == near(0.5));
  CHECK(s.learning_rate(1000) == near(0.5));
  for (int64_t step = 5; step < 16; ++step) CHECK(s.learning_rate(step) < s.learning_rate(step - 1));
}

TEST_CASE("a run that is all warm-up is no division by zero") {
  const Schedule s({.kind = ScheduleKind::cosine, .base_lr = 1, .warmup_epochs = 4}, 4, 1);
  CHECK(s.learning_rate(4) == near(1));
}

TEST_CASE("epochs become steps, rounded to the nearest") {
  const ScheduleSettings settings{.kind = ScheduleKind::step,
                                  .base_lr = 0.3,
                                  .warmup_epochs = 1.5,
                                  .warmup_start = 0,
                                  .milestones = {4, 8.25}};
  const Schedule s(settings, 10, 7);
  CHECK(s.learning_rate(10) == near(0.3 * 10 / 11));  // 10.5 steps of warm-up
  CHECK(s.learning_rate(11) == near(0.3));
  CHECK(s.learning_rate(27) == near(0.3));
  CHECK(s.learning_rate(28) == near(0.03));
  CHECK(s.learning_rate(57) == near(0.03));  // 57.75
  CHECK(s.learning_rate(58) == near(0.003));
  // Cosine ends with the last of 10 x 7 steps.
  const Schedule cosine({.base_lr = 1, .warmup_epochs = 0, .last_lr = 0.25}, 10, 7);
  CHECK(cosine.learning_rate(35) == near(0.625));
  CHECK(cosine.learning_rate(70) == near(0.25));
}
