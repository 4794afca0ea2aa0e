#include "train/floor/floor.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/error.h"
#include "train/floor/logistic.h"
#include "train/train_fixture.h"

using namespace laban;
using doctest::Contains;

TEST_CASE("logistic regression: one column, against Newton's method on the definition") {
  LabeledRows rows{.columns = 1, .values = {}, .labels = {}};
  Rng rng(5, Purpose::test);
  for (int i = 0; i < 60; ++i) {
    rows.labels.push_back(i % 3 == 0);
    rows.values.push_back(0.8 * (i % 3 == 0) + rng.normal());
  }
  double mean = 0, square = 0;
  for (const double x : rows.values) mean += x / 60;
  for (const double x : rows.values) square += (x - mean) * (x - mean) / 60;
  for (const bool balanced : {false, true}) {
    const double penalty = 0.05;
    // By symmetry W = (-w, w)/2 and b = (-c, c)/2: P(1) = sigmoid(w z + c), and penalty/2 |W|^2 = penalty w^2 / 4.
    double w = 0, c = 0;
    for (int step = 0; step < 50; ++step) {
      double gw = penalty / 2 * w, gc = 0, hww = penalty / 2, hwc = 0, hcc = 0;
      for (size_t i = 0; i < 60; ++i) {
        const double z = (rows.values[i] - mean) / std::sqrt(square), p = 1 / (1 + std::exp(-(w * z + c)));
        const double v = balanced ? (rows.labels[i] ? 1 / (2 * 20.0) : 1 / (2 * 40.0)) : 1 / 60.0;
        gw += v * (p - rows.labels[i]) * z, gc += v * (p - rows.labels[i]);
        hww += v * p * (1 - p) * z * z, hwc += v * p * (1 - p) * z, hcc += v * p * (1 - p);
      }
      const double det = hww * hcc - hwc * hwc;
      w -= (hcc * gw - hwc * gc) / det, c -= (hww * gc - hwc * gw) / det;
    }
    const LogisticRegression model(rows, {.classes = 2, .balanced = balanced, .penalty = penalty});
    for (size_t i = 0; i < 60; ++i) {
      const double z = (rows.values[i] - mean) / std::sqrt(square);
      CHECK(model.probabilities(rows.row(static_cast<int64_t>(i)))[1] ==
            doctest::Approx(1 / (1 + std::exp(-(w * z + c)))).epsilon(1e-4));
    }
  }
}

TEST_CASE("logistic regression: columns that never change, one class, one row") {
  const LabeledRows constant{.columns = 2, .values = {1, 1, 1, 1}, .labels = {0, 1}};
  CHECK(LogisticRegression(constant, {}).probabilities(constant.row(0))[0] == doctest::Approx(0.5));
  const LabeledRows one{.columns = 1, .values = {3}, .labels = {2}};
  const auto p = LogisticRegression(one, {.classes = 3}).probabilities(one.row(0));
  CHECK(p[2] > 0.9);
  CHECK(p[0] + p[1] + p[2] == doctest::Approx(1));
}

TEST_CASE("the floor of clips that only motion tells apart, and what a network below it is told") {
  const test::TemporaryFolder folder;
  test::write_moving_blobs(folder.path() / "data", 15);
  Config config = test::small_config(folder.path() / "data");
  resolve(config);
  const Dataset dataset = open_dataset(folder.path() / "data", {});
  int64_t told = 0;
  const auto floor = measure_floor(dataset, config, [&](int64_t done, int64_t of) {
    CHECK((done >= told && done <= of));
    told = done;
    return true;
  });
  REQUIRE(floor);
  REQUIRE(floor->methods.size() == 3);
  CHECK(floor->train_clips == static_cast<int64_t>(dataset.of(Split::train).size()));
  REQUIRE(floor->best("test", BestBy::accuracy));
  CHECK(!floor->best("train", BestBy::accuracy));
  CHECK(floor->methods[0].scores[0].accuracy == doctest::Approx(0.25).epsilon(0.1));
  for (const FloorMethod& method : floor->methods)
    for (const FloorScore& score : method.scores) CHECK((score.accuracy >= 0 && score.accuracy <= 1));

  // Written, read, and measured again: the same.
  folder.write("floor.json", to_json(*floor));
  const Floor read = read_floor(folder.path() / "floor.json");
  CHECK(to_json(read) == to_json(*floor));
  auto again = measure_floor(dataset, config);
  REQUIRE(again);
  again->seconds = floor->seconds;
  CHECK(to_json(*again) == to_json(*floor));

  const double best = floor->best("test", BestBy::accuracy)->score->accuracy;
  CHECK_MESSAGE(below_floor(*floor, "test", BestBy::accuracy, best).find("not better than the floor") !=
                    std::string::npos,
                "a tie is not better");
  CHECK(below_floor(*floor, "test", BestBy::accuracy, best + 0.01).empty());
  CHECK(below_floor(*floor, "train", BestBy::accuracy, 0).empty());
  CHECK(!measure_floor(dataset, config, [](int64_t, int64_t) { return false; }));
  folder.write("floor.json", "{}");
  CHECK_THROWS_AS(read_floor(folder.path() / "floor.json"), FileError);
  CHECK(!floor_of(folder.path()));
}

TEST_CASE("what a network and its floor are compared by") {
  const auto by = [](std::vector<int64_t> clips) { return floor_criterion(clips); };
  CHECK(by({10, 10}) == BestBy::accuracy);
  CHECK(by({19, 10}) == BestBy::accuracy);
  CHECK(by({20, 10}) == BestBy::macro_f1);
  CHECK(by({20, 0, 15}) == BestBy::accuracy);
  CHECK(by({}) == BestBy::accuracy);
}
