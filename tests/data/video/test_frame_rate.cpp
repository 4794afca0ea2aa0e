// Frame rates from rounded times: the intended rate, and therefore the intended frame numbers.
#include <doctest/doctest.h>

#include <cmath>

#include "core/rng.h"
#include "data/clip/sampler.h"
#include "data/video/frame_rate.h"

using namespace laban;

namespace {

/// What is found of `frames` frames at `rate` frames a second, shown from `begin` seconds on.
double found(double rate, int64_t frames, double tick, double declared = 0, double begin = 0) {
  const auto time = [&](int64_t k) { return std::llround((begin + static_cast<double>(k) / rate) / tick); };
  return likely_frame_rate(frames, time(0), time(frames - 1), tick, declared);
}

}  // namespace

TEST_CASE("whole rates are found exactly, however their times are rounded") {
  for (const double rate : {1., 5., 10., 12., 15., 24., 25., 30., 50., 60., 120.})
    for (const double tick : {1. / 12800, 1. / 90000, 1. / 1000, 1. / 600, 1 / rate})
      for (const int64_t frames : {5, 16, 250, 310, 10001})
        for (const double begin : {0., 0.5, 3.137}) {
          const bool fits_several = rate * tick / (static_cast<double>(frames - 1) / rate) >= 0.5;
          const bool own_tick = tick == 1 / rate && begin > 0;  // such a container begins at a whole tick
          if (fits_several || own_tick) continue;
          CAPTURE(rate);
          CAPTURE(tick);
          CAPTURE(frames);
          CHECK(found(rate, frames, tick, 0, begin) == rate);
        }
}

TEST_CASE("television's rates: from fine ticks, from their own, from milliseconds where declared") {
  for (const double whole : {24., 30., 60.}) {
    const double rate = whole * 1000 / 1001;
    for (const double tick : {1 / (whole * 1000), 1 / rate})
      for (const int64_t frames : {30, 250, 10001})
        CHECK(found(rate, frames, tick) == doctest::Approx(rate).epsilon(2e-5));
    CHECK(found(rate, 310, 1. / 1000, rate) == rate);
    CHECK(found(rate, 310, 1. / 1000) == doctest::Approx(rate).epsilon(2e-4));
  }
}

TEST_CASE("any rate is found as exactly as its times allow") {
  Rng rng(7, Purpose::test);
  for (int i = 0; i < 20000; ++i) {
    const double rate = rng.uniform(0.1, 200), tick = 1 / rng.uniform(1000, 100000);
    const int64_t frames = rng.integer(2, 1000);
    const double seconds = static_cast<double>(frames - 1) / rate;
    if (seconds < 4 * tick) continue;
    CHECK(std::abs(found(rate, frames, tick) / rate - 1) <= 2.1 * tick / (seconds - tick));
  }
}

TEST_CASE("a declaration that the times contradict does not count, and one is all there is without times") {
  CHECK(found(25, 250, 1. / 12800, 50) == 25);
  CHECK(found(25, 250, 1. / 1000, 25.5) == 25);
  CHECK(likely_frame_rate(1, 7, 7, 0.001, 24) == 24);
  CHECK(likely_frame_rate(3, 7, 7, 0.001, 24) == 24);
  CHECK(likely_frame_rate(2, 0, 1, 0.001, 24) > 0);
}

TEST_CASE("a rate turned into itself takes every frame once, and a fifth of it every fifth") {
  Rng rng(1, Purpose::test);
  for (const double tick : {1. / 12800, 1. / 1000})
    for (const double rate : {24., 25., 30.})
      for (const int every : {1, 2, 3, 5}) {
        const SamplerSettings s{.kind = SamplerKind::dense, .frames = 16, .fps = rate / every};
        const auto got = sample_indices(s, SampleMode::test, 16 * every, found(rate, 308, tick), rng);
        for (size_t i = 1; i < got.size(); ++i) CHECK(got[i] - got[i - 1] == every);
      }
}
