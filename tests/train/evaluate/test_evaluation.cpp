#include "train/evaluate/evaluation.h"

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/error.h"
#include "cpu/cpu_backend.h"
#include "train/evaluate/evaluation_json.h"
#include "train/train_fixture.h"

using namespace laban;

namespace {

/// Five clips of three classes, of which the third has none; right are items 0, 1 and 4.
struct Example {
  Dataset dataset;
  Classified classified;

  Example() {
    dataset.classes = {"a", "b", "c"};
    const int labels[] = {0, 0, 0, 1, 1}, predicted[] = {0, 0, 2, 0, 1};
    for (int i = 0; i < 5; ++i) {
      DatasetItem item;
      item.name = text("clip", i);
      item.label = labels[i];
      dataset.items.push_back(item);
      std::vector<double> p{0.2, 0.2, 0.2};
      p[static_cast<size_t>(predicted[i])] = 0.6;
      classified.predictions.push_back({i, labels[i], predicted[i], 0.5 * i, p, {0, 3}});
    }
    classified.bad_files.push_back({"x.mp4", "x.mp4: broken"});
  }
};

}  // namespace

TEST_CASE("an evaluation counts what was right") {
  const Example example;
  const Evaluation e = summarize(example.classified, example.dataset, example.dataset.classes);
  CHECK(e.clips == 5);
  CHECK(e.correct == 3);
  CHECK(e.accuracy == doctest::Approx(0.6));
  CHECK(e.mean_class_accuracy == doctest::Approx((2.0 / 3 + 0.5) / 2));  // class c has no clips
  CHECK(e.loss == doctest::Approx(1.0));
  CHECK(e.top5_accuracy == 1);
  CHECK(e.confusion == std::vector<std::vector<int64_t>>{{2, 0, 1}, {1, 1, 0}, {0, 0, 0}});
  CHECK(e.per_class[0].correct == 2);
  CHECK(e.per_class[2].count == 0);
  CHECK(std::isnan(e.per_class[2].accuracy));  // of no clips, not 0 %
  CHECK(!e.per_class[2].ci95);
  CHECK(std::isnan(e.per_class[2].f1));
}

TEST_CASE("precision, recall and F1, by hand") {
  const Example example;  // true a a a b b, predicted a a c a b
  const Evaluation e = summarize(example.classified, example.dataset, example.dataset.classes);
  CHECK(e.per_class[0].predicted == 3);
  CHECK(e.per_class[0].precision == doctest::Approx(2.0 / 3));
  CHECK(e.per_class[0].f1 == doctest::Approx(2.0 / 3));
  REQUIRE(e.per_class[0].precision_ci95);
  CHECK(e.per_class[0].precision_ci95->low == doctest::Approx(wilson_interval(2, 3).low));
  CHECK(e.per_class[1].precision == 1);
  CHECK(e.per_class[1].f1 == doctest::Approx(2 * 1 * 0.5 / 1.5));
  CHECK(e.per_class[2].precision == 0);                           // one clip was put there, wrongly
  CHECK(e.macro_f1 == doctest::Approx((2.0 / 3 + 2.0 / 3) / 2));  // class c has no clips
}

TEST_CASE("a class that is never predicted has no precision, and an F1 of zero") {
  Example example;
  for (Prediction& p : example.classified.predictions) p.predicted = 0;
  const Evaluation e = summarize(example.classified, example.dataset, example.dataset.classes);
  CHECK(std::isnan(e.per_class[1].precision));
  CHECK(!e.per_class[1].precision_ci95);
  CHECK(e.per_class[1].f1 == 0);
  CHECK(e.per_class[1].accuracy == 0);
  CHECK(e.mean_class_accuracy == doctest::Approx(0.5));
  CHECK(e.macro_f1 == doctest::Approx((2 * 0.6 / 1.6) / 2));
}

TEST_CASE("nothing is known of a split without clips") {
  const Example example;
  const Evaluation e = summarize({}, example.dataset, example.dataset.classes);
  for (const double value : {e.accuracy, e.loss, e.macro_f1, e.mean_class_accuracy, e.top5_accuracy})
    CHECK(std::isnan(value));
  CHECK(!e.ci95);
}

TEST_CASE("top-5 counts the five most probable classes only") {
  Dataset dataset;
  Classified classified;
  for (int k = 0; k < 7; ++k) dataset.classes.push_back(text("c", k));
  for (int label = 0; label < 7; ++label) {
    DatasetItem item;
    item.label = label;
    dataset.items.push_back(item);
    classified.predictions.push_back({label, label, 0, 0, {0.3, 0.25, 0.2, 0.1, 0.08, 0.05, 0.02}, {}});
  }
  CHECK(summarize(classified, dataset, dataset.classes).top5_accuracy == doctest::Approx(5.0 / 7));
}

TEST_CASE("the JSON holds what the report reads") {
  const Example example;
  Evaluation e = summarize(example.classified, example.dataset, example.dataset.classes);
  e.split = "test";
  e.single_frame = true;
  const test::TemporaryFolder folder;
  folder.write("evaluation_test.json", to_json(e));
  const Evaluation read = read_evaluation(folder.path() / "evaluation_test.json");
  CHECK(read.split == "test");
  CHECK(read.clips == 5);
  CHECK(read.classes == e.classes);
  CHECK(read.accuracy == doctest::Approx(0.6));
  REQUIRE(read.ci95);
  CHECK(read.ci95->low == doctest::Approx(wilson_interval(3, 5).low));
  CHECK(read.ci95->high == doctest::Approx(wilson_interval(3, 5).high));
  CHECK(read.top5_accuracy == 1);
  CHECK(read.mean_class_accuracy == doctest::Approx(e.mean_class_accuracy));
  CHECK(read.macro_f1 == doctest::Approx(e.macro_f1));
  REQUIRE(read.per_class.size() == 3);
  CHECK(read.per_class[0].precision == doctest::Approx(2.0 / 3));
  CHECK(read.per_class[0].predicted == 3);
  CHECK(std::isnan(read.per_class[2].accuracy));
  CHECK(!read.per_class[2].ci95);
  CHECK(read.loss == doctest::Approx(1.0));
  CHECK(read.confusion == e.confusion);
  REQUIRE(read.per_class.size() == 3);
  CHECK(read.per_class[0].name == "a");
  CHECK(read.per_class[0].correct == 2);
  REQUIRE(read.predictions.size() == 5);
  CHECK(read.predictions[2].file == "clip2");
  CHECK(read.predictions[2].predicted == 2);
  CHECK(read.predictions[2].probabilities == std::vector<double>{0.2, 0.2, 0.6});
  CHECK(read.predictions[2].frames == std::vector<int64_t>{0, 3});
  REQUIRE(read.bad_files.size() == 1);
  CHECK(read.bad_files[0].reason == "x.mp4: broken");
  CHECK(read.single_frame);
}

TEST_CASE("top() ranks, and equal values keep their order") {
  const std::vector<double> values{0.1, 0.4, 0.4, 0.1};
  CHECK(top(values, 3) == std::vector<int>{1, 2, 0});
  CHECK(top(values, 9).size() == 4);
  CHECK(top(values, 0).empty());
}

TEST_CASE("top() of many values with ties: place r has r values before it, larger or equal and earlier") {
  std::vector<double> values(400);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i * 7919 % 23);
  for (const int k : {1, 2, 5, 400}) {
    const std::vector<int> found = top(values, k);
    REQUIRE(found.size() == static_cast<size_t>(k));
    for (size_t r = 0; r < found.size(); ++r) {
      const auto at = static_cast<size_t>(found[r]);
      size_t before = 0;
      for (size_t i = 0; i < values.size(); ++i)
        before += values[i] > values[at] || (values[i] == values[at] && i < at);
      CHECK(before == r);
    }
  }
}

TEST_CASE("labels are counted in the network's classes") {
  Example example;
  relabel(example.dataset, {"z", "b", "c", "a"});
  CHECK(example.dataset.items[0].label == 3);
  CHECK(example.dataset.items[4].label == 1);
  CHECK_THROWS_WITH_AS(relabel(example.dataset, {"z", "b"}), doctest::Contains("class 'c'"), Error);
}

TEST_CASE("classify: the order of the items, the batch's size and several views") {
  const test::TemporaryFolder folder;
  test::write_moving_blobs(folder.path(), 3);
  Config config = test::small_config(folder.path());
  const Dataset dataset = open_dataset(folder.path(), dataset_settings(config));
  CpuBackend backend(1);
  Network network(backend, DType::f32, model_spec(config, 4));
  network.store().initialize(3);
  std::vector<int> items;
  for (int i = static_cast<int>(dataset.items.size()) - 1; i >= 0; --i) items.push_back(i);

  LoaderSettings settings = loader_settings(config, SampleMode::test);
  settings.batch = 5;  // 12 clips: 5, 5, 2
  std::vector<int64_t> done;
  const auto by_five = classify(network, dataset, items, settings, {}, [&](int64_t clips, int64_t total) {
    CHECK(total == 12);
    done.push_back(clips);
    return true;
  });
  REQUIRE(by_five);
  CHECK(done == std::vector<int64_t>{5, 10, 12});
  settings.batch = 1;
  const auto singly = classify(network, dataset, items, settings, {}, nullptr);
  REQUIRE(by_five->predictions.size() == 12);
  for (size_t i = 0; i < 12; ++i) {
    const Prediction &a = by_five->predictions[i], &b = singly->predictions[i];
    CHECK(a.item == items[i]);
    CHECK(a.label == dataset.items[static_cast<size_t>(items[i])].label);
    CHECK(a.frames.size() == 8);
    CHECK(a.loss == doctest::Approx(-std::log(a.probabilities[static_cast<size_t>(a.label)])).epsilon(1e-5));
    double sum = 0;
    for (size_t k = 0; k < 4; ++k) {
      CHECK(a.probabilities[k] == doctest::Approx(b.probabilities[k]).epsilon(1e-5));
      sum += a.probabilities[k];
    }
    CHECK(sum == doctest::Approx(1).epsilon(1e-6));
  }

  const auto views = classify(network, dataset, items, settings, {.clips = 3}, nullptr);
  REQUIRE(views->predictions.size() == 12);
  CHECK(views->predictions[0].frames != singly->predictions[0].frames);
  CHECK(views->predictions[0].probabilities != singly->predictions[0].probabilities);
  // Nothing is drawn: another seed shows the same.
  settings.seed += 7;
  const auto again = classify(network, dataset, items, settings, {.clips = 3}, nullptr);
  for (size_t i = 0; i < 12; ++i) {
    CHECK(again->predictions[i].frames == views->predictions[i].frames);
    CHECK(again->predictions[i].probabilities == views->predictions[i].probabilities);
  }
  double sum = 0;
  for (const double p : views->predictions[0].probabilities) sum += p;
  CHECK(sum == doctest::Approx(1).epsilon(1e-6));

  CHECK(!classify(network, dataset, items, settings, {}, [](int64_t, int64_t) { return false; }));
}

TEST_CASE("several views: the mean of what each gives by itself") {
  const test::TemporaryFolder folder;
  test::write_moving_blobs(folder.path(), 2);
  Config config = test::small_config(folder.path());
  config.clip.sampler.frames = 4;  // of 12: three frames to a segment
  const Dataset dataset = open_dataset(folder.path(), dataset_settings(config));
  CpuBackend backend(1);
  Network network(backend, DType::f32, model_spec(config, 4));
  network.store().initialize(3);
  std::vector<int> items(dataset.items.size());
  std::iota(items.begin(), items.end(), 0);
  const LoaderSettings settings = loader_settings(config, SampleMode::test);

  const Views views{.clips = 3, .crops = 3};
  std::vector<std::vector<double>> mean(items.size(), std::vector<double>(4));
  std::vector<int> right(items.size());
  std::vector<std::vector<int64_t>> first_frames;
  for (int clip = 0; clip < 3; ++clip)
    for (const CropPlace place : {CropPlace::center, CropPlace::first, CropPlace::last}) {
      LoaderSettings one = settings;
      one.views = 3;
      one.transform.place = place;
      one.shuffle = one.drop_last = false;
      Loader loader(dataset, items, one);
      const auto shown = classify(network, loader, {}, clip);
      for (size_t i = 0; i < items.size(); ++i) {
        for (size_t k = 0; k < 4; ++k) mean[i][k] += shown->predictions[i].probabilities[k] / 9;
        right[i] += shown->predictions[i].predicted == shown->predictions[i].label;
      }
      if (place == CropPlace::center) first_frames.push_back(shown->predictions[0].frames);
    }
  CHECK(first_frames[0] == std::vector<int64_t>{0, 3, 6, 9});
  CHECK(first_frames[1] == std::vector<int64_t>{1, 4, 7, 10});  // the middle view is the only one of one
  CHECK(first_frames[2] == std::vector<int64_t>{2, 5, 8, 11});

  const auto averaged = classify(network, dataset, items, settings, views, nullptr);
  int64_t all_right = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    const Prediction& p = averaged->predictions[i];
    for (size_t k = 0; k < 4; ++k) CHECK(p.probabilities[k] == doctest::Approx(mean[i][k]).epsilon(1e-9));
    CHECK(p.predicted == top(mean[i], 1).front());
    CHECK(p.views_right == right[i]);
    CHECK(p.views_in_top5 == 9);  // of four classes
    all_right += right[i];
  }
  const Evaluation e = summarize(*averaged, dataset, dataset.classes, views);
  CHECK(e.view_accuracy == doctest::Approx(static_cast<double>(all_right) / (9 * 8)));
  CHECK(e.view_top5_accuracy == 1);
  const auto json = nlohmann::json::parse(to_json(e));
  CHECK(json["views"] == 3);
  CHECK(json["crops"] == 3);
  CHECK(json["view_accuracy"] == e.view_accuracy);
  for (const char* key : {"accuracy", "accuracy_ci95", "top5_accuracy", "mean_class_accuracy", "confusion"})
    CHECK(json.contains(key));

  CHECK_THROWS_AS(classify(network, dataset, items, settings, {.crops = 2}, nullptr), UsageError);
  CHECK_THROWS_AS(classify(network, dataset, items, settings, {.clips = 0}, nullptr), UsageError);
  LoaderSettings whole = settings;  // shows all there is
  whole.transform.rule = ScaleRule::frame;
  CHECK_THROWS_AS(classify(network, dataset, items, whole, {.crops = 3}, nullptr), UsageError);
}
