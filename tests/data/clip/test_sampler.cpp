// The segment sampler against worked examples of its published definition, and its invariants over random
// settings.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "core/error.h"
#include "data/clip/sampler.h"

using namespace laban;

namespace {

std::vector<int64_t> sample(int64_t n, int f, int s, SampleMode mode, uint64_t seed = 1,
                            SamplerKind kind = SamplerKind::tsn) {
  Rng rng(seed, Purpose::test);
  return sample_indices({.kind = kind, .frames = s * f, .frames_per_segment = f}, mode, n, 25, rng);
}
using Indices = std::vector<int64_t>;

}  // namespace

TEST_CASE("evaluation: the table of the definition") {
  for (const SampleMode mode : {SampleMode::test, SampleMode::val}) {
    CHECK(sample(301, 1, 16, mode) ==
          Indices{9, 28, 47, 65, 84, 103, 122, 141, 159, 178, 197, 216, 235, 253, 272, 291});
    CHECK(sample(17, 1, 5, mode) == Indices{1, 5, 8, 11, 15});
    // Starts 1, 5, 9, 13, four frames each.
    CHECK(sample(18, 4, 4, mode) == Indices{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16});
    CHECK(sample(15, 1, 16, mode) == Indices{0, 1, 2, 3, 4, 5, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14});
    CHECK(sample(3, 1, 5, mode) == Indices{0, 0, 1, 2, 2});
    CHECK(sample(4, 8, 1, mode) == Indices{0, 1, 2, 3, 3, 3, 3, 3});
  }
}

TEST_CASE(
    "evaluation: where d*k + d/2 is nearly whole, the published arithmetic in double decides, on every machine") {
  const Indices got =
      sample(30, 7, 9, SampleMode::test);  // d = 24/9: 1.333... + 18.666... rounds to 19.999...
  Indices starts;
  const double d = 24 / 9.0;
  for (int k = 0; k < 9; ++k) {
    const volatile double product = d * k;  // rounded by itself, as Python does
    for (int64_t i = 0; i < 7; ++i) starts.push_back(static_cast<int64_t>(d / 2 + product) + i);
  }
  std::ranges::sort(starts);
  CHECK(got == starts);
  CHECK(std::ranges::count(got, 19) == 3);  // 14 to 20, 17 to 23 and 19 to 25: the eighth window begins at 19
}

TEST_CASE("dense by the clock: 30 frames a second, then 5") {
  std::vector<double> times;
  for (int k = 0; k < 60; ++k) times.push_back(k / 30.0);
  for (int k = 0; k < 20; ++k) times.push_back(2 + k / 5.0);
  const SamplerSettings s{.kind = SamplerKind::dense, .frames = 8, .fps = 5};
  const auto n = static_cast<int64_t>(times.size());
  Rng rng(1, Purpose::test);
  const auto view = [&](int number) {
    return sample_indices(s, SampleMode::test, n, /*video_fps=*/79 / 5.8, rng, {number, 2}, times);
  };
  CHECK(view(0) == Indices{0, 6, 12, 18, 24, 30, 36, 42});
  CHECK(view(1) == Indices{72, 73, 74, 75, 76, 77, 78, 79});  // the last 1.4 seconds
  // In training, too, some start has all of a clip's frames on the screen, 0.2 seconds apart.
  std::set<int64_t> starts;
  for (int draw = 0; draw < 300; ++draw) {
    const Indices got = sample_indices(s, SampleMode::train, n, 79 / 5.8, rng, {}, times);
    starts.insert(got.front());
    double earliest = 0, latest = 1e9;
    for (size_t i = 0; i < got.size(); ++i) {
      const auto k = static_cast<size_t>(got[i]);
      const double shift = 0.2 * static_cast<double>(i);
      earliest = std::max(earliest, times[k] - shift);
      if (k + 1 < times.size()) latest = std::min(latest, times[k + 1] - shift);
    }
    CHECK(earliest < latest + 1e-3);
  }
  CHECK((*starts.begin() < 5 && *starts.rbegin() > 70));
  // A constant rate by the clock is what the formula for constant rates says.
  std::vector<double> even;
  for (int k = 0; k < 100; ++k) even.push_back(k / 30.0);
  for (const int number : {0, 1, 2})
    CHECK(sample_indices(s, SampleMode::test, 100, 30, rng, {number, 3}, even) ==
          sample_indices(s, SampleMode::test, 100, 30, rng, {number, 3}));
  // Shorter than the clip: the last frame stays on the screen.
  CHECK(sample_indices(s, SampleMode::test, 12, 30, rng, {}, std::span(even).first(12)) ==
        Indices{0, 6, 11, 11, 11, 11, 11, 11});
}

TEST_CASE("views: spread evenly over the video, whole and in order; one view is the middle") {
  const auto view = [](SamplerSettings s, int64_t n, View v) {
    Rng rng(1, Purpose::test);
    return sample_indices(s, SampleMode::test, n, 25, rng, v);
  };
  const SamplerSettings tsn{.frames = 4}, dense{.kind = SamplerKind::dense, .frames = 4, .stride = 2};
  // 12 frames, d = 3: the segments' thirds, then their halves.
  CHECK(view(tsn, 12, {0, 3}) == Indices{0, 3, 6, 9});
  CHECK(view(tsn, 12, {1, 3}) == Indices{1, 4, 7, 10});
  CHECK(view(tsn, 12, {2, 3}) == Indices{2, 5, 8, 11});
  CHECK(view(tsn, 12, {1, 3}) == view(tsn, 12, {0, 1}));
  // A clip is 7 frames long, so 20 frames leave the starts 0 to 13.
  CHECK(view(dense, 20, {0, 3}) == Indices{0, 2, 4, 6});
  CHECK(view(dense, 20, {1, 3}) == Indices{6, 8, 10, 12});
  CHECK(view(dense, 20, {2, 3}) == Indices{13, 15, 17, 19});
  CHECK(view(dense, 20, {0, 1}) == Indices{6, 8, 10, 12});
  CHECK(view(dense, 5, {2, 3}) == Indices{0, 2, 4, 4});
}

TEST_CASE("how many frames a clip needs") {
  CHECK(frames_needed({.frames = 16}, 25) == 16);
  CHECK(frames_needed({.frames = 16, .frames_per_segment = 4}, 25) == 7);
  CHECK(frames_needed({.kind = SamplerKind::dense, .frames = 16, .stride = 2}, 25) == 31);
  CHECK(frames_needed({.kind = SamplerKind::dense, .frames = 16, .fps = 12.5}, 25) == 31);
  CHECK(frames_needed({.kind = SamplerKind::dense, .frames = 16, .fps = 12.5}, 0) == 16);
  // One frame fewer repeats some, or leaves a segment without one.
  Rng rng(1, Purpose::test);
  const SamplerSettings s{.frames = 16, .frames_per_segment = 4};
  const auto distinct = [&](int64_t n) {
    const Indices i = sample_indices(s, SampleMode::test, n, 25, rng);
    return std::set<int64_t>(i.begin(), i.end()).size();
  };
  CHECK(distinct(7) == 7);
  CHECK(distinct(6) == 6);
}

TEST_CASE("training: every start lies in its own segment, and every place of it is drawn") {
  const int64_t m = 18;
  std::vector<std::set<int64_t>> seen(16);
  for (uint64_t seed = 0; seed < 500; ++seed) {
    const Indices got = sample(301, 1, 16, SampleMode::train, seed);
    REQUIRE(got.size() == 16);
    for (int64_t k = 0; k < 16; ++k) {
      CHECK((got[static_cast<size_t>(k)] >= k * m && got[static_cast<size_t>(k)] < (k + 1) * m));
      seen[static_cast<size_t>(k)].insert(got[static_cast<size_t>(k)]);
    }
  }
  for (const auto& places : seen) CHECK(places.size() == 18);
  // (18, 4, 4): m = 3, so windows of four frames overlap and the whole is sorted.
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const Indices got = sample(18, 4, 4, SampleMode::train, seed);
    CHECK(got.size() == 16);
    CHECK(std::ranges::is_sorted(got));
    CHECK(got.back() <= 14);
  }
}

TEST_CASE("training: fallbacks where a video is too short for its segments") {
  std::set<int64_t> seen;
  for (uint64_t seed = 0; seed < 200; ++seed)
    for (const int64_t i : sample(3, 1, 5, SampleMode::train, seed)) seen.insert(i);
  CHECK(seen == std::set<int64_t>{0, 1, 2});
  for (uint64_t seed = 0; seed < 20; ++seed)
    CHECK(sample(4, 8, 1, SampleMode::train, seed) == Indices{0, 1, 2, 3, 3, 3, 3, 3});
}

TEST_CASE("the uniform variant reaches the tail that the published formula never draws") {
  std::set<int64_t> published, uniform;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    for (const int64_t i : sample(301, 1, 16, SampleMode::train, seed)) published.insert(i);
    for (const int64_t i : sample(301, 1, 16, SampleMode::train, seed, SamplerKind::tsn_unbiased))
      uniform.insert(i);
  }
  CHECK(*published.rbegin() == 287);
  CHECK(uniform.size() == 301);
}

TEST_CASE("whatever the settings: the right number of ascending indices inside the video") {
  Rng rng(3, Purpose::test);
  for (int i = 0; i < 20000; ++i) {
    const auto segments = static_cast<int>(rng.integer(1, 40)), length = static_cast<int>(rng.integer(1, 20));
    const SamplerSettings s{.kind = static_cast<SamplerKind>(rng.integer(0, 2)),
                            .frames = segments * length,
                            .frames_per_segment = length,
                            .stride = rng.uniform(0.1, 9),
                            .fps = rng.coin(0.5) ? 0 : rng.uniform(0.5, 90)};
    const int64_t n = rng.integer(1, rng.coin(0.3) ? 8 : 400);
    const auto mode = static_cast<SampleMode>(rng.integer(0, 2));
    const Indices got = sample_indices(s, mode, n, rng.coin(0.1) ? 0 : rng.uniform(1, 120), rng);
    REQUIRE(static_cast<int>(got.size()) == s.frames);
    REQUIRE(std::ranges::is_sorted(got));
    REQUIRE(got.front() >= 0);
    REQUIRE(got.back() < n);
  }
}

TEST_CASE("dense: stride, rate and place") {
  Rng rng(1, Purpose::test);
  const SamplerSettings plain{.kind = SamplerKind::dense, .frames = 4, .frames_per_segment = 1, .stride = 2};
  CHECK(sample_indices(plain, SampleMode::test, 11, 25, rng) == Indices{2, 4, 6, 8});
  const SamplerSettings half{.kind = SamplerKind::dense, .frames = 4, .frames_per_segment = 1, .fps = 15};
  CHECK(sample_indices(half, SampleMode::test, 7, 30, rng) == Indices{0, 2, 4, 6});
  CHECK(sample_indices(half, SampleMode::test, 3, 30, rng) == Indices{0, 2, 2, 2});
  std::set<int64_t> starts;
  for (int i = 0; i < 300; ++i) starts.insert(sample_indices(plain, SampleMode::train, 11, 25, rng).front());
  CHECK(starts == std::set<int64_t>{0, 1, 2, 3, 4});
}

TEST_CASE("settings that make no clip are refused") {
  Rng rng(1, Purpose::test);
  CHECK_THROWS_AS(sample_indices({.frames = 0}, SampleMode::train, 10, 25, rng), UsageError);
  CHECK_THROWS_AS(sample_indices({.frames = 7, .frames_per_segment = 2}, SampleMode::train, 10, 25, rng),
                  UsageError);
  CHECK_THROWS_AS(sample_indices({.frames_per_segment = 0}, SampleMode::train, 10, 25, rng), UsageError);
  CHECK_THROWS_AS(sample_indices({.kind = SamplerKind::dense, .stride = 0}, SampleMode::train, 10, 25, rng),
                  UsageError);
}
