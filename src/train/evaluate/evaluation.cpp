#include "train/evaluate/evaluation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "data/video/watch.h"
#include "train/clip_buffer.h"
#include "train/staging_memory.h"

namespace laban {

std::vector<int> top(std::span<const double> values, int k) {
  std::vector<int> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](int a, int b) { return values[a] > values[b]; });
  order.resize(std::min(order.size(), static_cast<size_t>(std::max(k, 0))));
  return order;
}

namespace {

Classified classify_all(Network& network, BatchSource& loader, const ClassifyProgress& progress,
                        int64_t epoch) {
  const auto classes = static_cast<size_t>(network.spec().classes);
  ClipBuffer buffer(network.backend(), network.compute());
  Classified result;
  result.bad_files = loader.bad_files();
  loader.start(epoch, /*index=*/0, /*one_epoch=*/true);
  const auto next = [&] {
    auto batch = loader.next();
    if (batch) buffer.begin(batch);
    return batch;
  };
  std::shared_ptr<const Batch> upcoming = next();
  while (const auto batch = std::move(upcoming)) {
    const auto n = batch->labels.size();
    std::vector<double> probabilities(n * classes), losses(n);
    network.evaluate(buffer.take(), probabilities, batch->labels, losses, [&] { upcoming = next(); });
    for (size_t i = 0; i < n; ++i) {
      const auto row = std::span(probabilities).subspan(i * classes, classes);
      const std::vector<int> best = top(row, 5);
      result.predictions.push_back(
          {.item = batch->items[i],
           .label = batch->labels[i],
           .predicted = best.front(),
           .loss = losses[i],
           .probabilities = std::vector<double>(row.begin(), row.end()),
           .frames = batch->frame_indices[i],
           .views_right = best.front() == batch->labels[i],
           .views_in_top5 = std::ranges::find(best, batch->labels[i]) != best.end()});
    }
    if (progress && !progress(static_cast<int64_t>(result.predictions.size()), loader.clips()))
      throw Canceled{};
  }
  return result;
}

Classified classify_views(Network& network, const Dataset& dataset, const std::vector<int>& items,
                          LoaderSettings settings, const Views& views, const ClassifyProgress& progress) {
  if (views.clips < 1) throw UsageError(text("a video cannot be judged by ", views.clips, " clips"));
  if (views.crops != 1 && views.crops != 3)
    throw UsageError(text("there is no way to take ", views.crops, " crops of a clip"),
                     "1: the center; 3: the center and both ends of the longer side.");
  settings.shuffle = settings.drop_last = settings.balance = false;
  settings.views = views.clips;
  StagingMemory staging(network.backend());
  staging.serve(settings);
  constexpr std::array kPlaces{CropPlace::center, CropPlace::first, CropPlace::last};
  Classified result;
  for (int crop = 0, view = 0; crop < views.crops; ++crop) {
    settings.transform.place = kPlaces[static_cast<size_t>(crop)];
    Loader loader(dataset, items, settings);
    for (int clip = 0; clip < views.clips; ++clip, ++view) {
      Classified shown = classify_all(
          network, loader,
          [&](int64_t done, int64_t of) {
            return !progress || progress(view * of + done, views.count() * of);
          },
          clip);
      if (view == 0) {
        result = std::move(shown);
        continue;
      }
      require(shown.predictions.size() == result.predictions.size(), "classify: a file went on the way");
      for (size_t i = 0; i < shown.predictions.size(); ++i) {
        Prediction& sum = result.predictions[i];
        const Prediction& one = shown.predictions[i];
        sum.loss += one.loss;
        sum.views_right += one.views_right;
        sum.views_in_top5 += one.views_in_top5;
        for (size_t k = 0; k < sum.probabilities.size(); ++k) sum.probabilities[k] += one.probabilities[k];
      }
    }
  }
  for (Prediction& prediction : result.predictions) {
    prediction.loss /= views.count();
    for (double& p : prediction.probabilities) p /= views.count();
    prediction.predicted = top(prediction.probabilities, 1).front();
  }
  return result;
}

}  // namespace

std::optional<Classified> classify(Network& network, BatchSource& loader, const ClassifyProgress& progress,
                                   int64_t epoch) {
  try {
    return classify_all(network, loader, progress, epoch);
  } catch (const Canceled&) {
    return std::nullopt;
  }
}

std::optional<Classified> classify(Network& network, const Dataset& dataset, const std::vector<int>& items,
                                   LoaderSettings settings, const Views& views,
                                   const ClassifyProgress& progress) {
  try {
    return classify_views(network, dataset, items, std::move(settings), views, progress);
  } catch (const Canceled&) {
    return std::nullopt;
  }
}

void relabel(Dataset& dataset, const std::vector<std::string>& classes) {
  std::vector<int> position;
  for (const std::string& name : dataset.classes) {
    const auto found = std::ranges::find(classes, name);
    if (found == classes.end()) {
      std::string known;
      for (const std::string& other : classes) known += (known.empty() ? "" : ", ") + other;
      throw Error(text(dataset.root.string(), " has a class '", name, "' that the network does not know"),
                  "It knows: " + known + ".");
    }
    position.push_back(static_cast<int>(found - classes.begin()));
  }
  for (DatasetItem& item : dataset.items) item.label = position[static_cast<size_t>(item.label)];
  dataset.classes = classes;
}

Evaluation summarize(const Classified& classified, const Dataset& dataset, std::vector<std::string> classes,
                     const Views& views) {
  Evaluation e;
  e.predictions = classified.predictions;
  e.bad_files = classified.bad_files;
  e.clips = static_cast<int64_t>(e.predictions.size());
  e.confusion.assign(classes.size(), std::vector<int64_t>(classes.size(), 0));
  for (const std::string& name : classes) e.per_class.push_back({name, 0, 0});
  e.classes = std::move(classes);

  int64_t in_top5 = 0, views_right = 0, views_in_top5 = 0;
  for (const Prediction& p : e.predictions) {
    const auto label = static_cast<size_t>(p.label);
    const bool right = p.predicted == p.label;
    e.files.push_back(dataset.items[static_cast<size_t>(p.item)].name);
    e.confusion[label][static_cast<size_t>(p.predicted)] += 1;
    e.per_class[label].count += 1;
    e.per_class[label].correct += right;
    e.correct += right;
    const std::vector<int> best = top(p.probabilities, 5);
    in_top5 += std::ranges::find(best, p.label) != best.end();
    e.loss += p.loss;
    views_right += p.views_right;
    views_in_top5 += p.views_in_top5;
  }
  const auto mean = [](double sum, int64_t count) { return count ? sum / static_cast<double>(count) : 0; };
  e.loss = mean(e.loss, e.clips);
  e.top5_accuracy = mean(static_cast<double>(in_top5), e.clips);
  e.views = views;
  e.view_accuracy = mean(static_cast<double>(views_right), e.clips * views.count());
  e.view_top5_accuracy = mean(static_cast<double>(views_in_top5), e.clips * views.count());
  int64_t present = 0;
  for (const ClassResult& result : e.per_class) {
    e.mean_class_accuracy += result.accuracy();
    present += result.count > 0;
  }
  e.mean_class_accuracy = mean(e.mean_class_accuracy, present);
  return e;
}

std::string to_json(const Evaluation& e) {
  using Json = nlohmann::ordered_json;
  const auto pair = [](const Interval& interval) { return Json::array({interval.low, interval.high}); };
  Json per_class = Json::array(), predictions = Json::array(), bad_files = Json::array();
  for (const ClassResult& c : e.per_class)
    per_class.push_back({{"class", c.name},
                         {"count", c.count},
                         {"correct", c.correct},
                         {"accuracy", c.accuracy()},
                         {"ci95", pair(c.interval())}});
  for (size_t i = 0; i < e.predictions.size(); ++i) {
    const Prediction& p = e.predictions[i];
    predictions.push_back({{"file", e.files[i]},
                           {"label", p.label},
                           {"predicted", p.predicted},
                           {"probabilities", p.probabilities},
                           {"frames", p.frames}});
  }
  for (const BadFile& bad : e.bad_files) bad_files.push_back({{"file", bad.file}, {"reason", bad.reason}});
  const Json document{{"split", e.split},
                      {"clips", e.clips},
                      {"classes", e.classes},
                      {"accuracy", e.accuracy()},
                      {"accuracy_ci95", pair(e.interval())},
                      {"top5_accuracy", e.top5_accuracy},
                      {"mean_class_accuracy", e.mean_class_accuracy},
                      {"loss", e.loss},
                      {"confusion", e.confusion},
                      {"per_class", per_class},
                      {"predictions", predictions},
                      {"bad_files", bad_files},
                      {"single_frame", e.single_frame},
                      {"views", e.views.clips},
                      {"crops", e.views.crops},
                      {"view_accuracy", e.view_accuracy},
                      {"view_top5_accuracy", e.view_top5_accuracy}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace laban
