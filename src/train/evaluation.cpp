#include "train/evaluation.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "train/clip_buffer.h"

namespace laban {

std::vector<int> top(std::span<const double> values, int k) {
  std::vector<int> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](int a, int b) { return values[a] > values[b]; });
  order.resize(std::min(order.size(), static_cast<size_t>(std::max(k, 0))));
  return order;
}

std::optional<Classified> classify(Network& network, const Dataset& dataset, const std::vector<int>& items,
                                   const LoaderSettings& settings, int views,
                                   const ClassifyProgress& progress) {
  const auto classes = static_cast<size_t>(network.spec().classes);
  const auto total = static_cast<int64_t>(items.size()) * views;
  std::map<int, Prediction> by_item;
  std::map<int, int> views_of;
  std::map<std::string, std::string> bad;
  ClipBuffer buffer(network.backend(), network.compute());
  int64_t done = 0;
  for (int view = 0; view < views; ++view) {
    LoaderSettings own = settings;
    own.shuffle = own.drop_last = false;
    if (view > 0) {
      own.mode = SampleMode::train;
      own.transform.flip = 0;
    }
    Loader loader(dataset, items, own);
    loader.start(/*epoch=*/view, /*index=*/0, /*one_epoch=*/true);
    while (const auto batch = loader.next()) {
      const auto n = batch->labels.size();
      std::vector<double> probabilities(n * classes), losses(n);
      network.evaluate(buffer.load(*batch), probabilities, batch->labels, losses);
      for (size_t i = 0; i < n; ++i) {
        const auto row = std::span(probabilities).subspan(i * classes, classes);
        Prediction& prediction = by_item[batch->items[i]];
        if (views_of[batch->items[i]]++ == 0) {
          prediction = {batch->items[i],        batch->labels[i], 0, 0, std::vector<double>(classes),
                        batch->frame_indices[i]};
        }
        for (size_t k = 0; k < classes; ++k) prediction.probabilities[k] += row[k];
        prediction.loss += losses[i];
      }
      done += static_cast<int64_t>(n);
      if (progress && !progress(done, total)) return std::nullopt;
    }
    for (BadFile& file : loader.bad_files()) bad.emplace(std::move(file.file), std::move(file.reason));
  }

  Classified result;
  for (const int item : items) {
    const auto found = by_item.find(item);
    if (found == by_item.end()) continue;
    Prediction& prediction = found->second;
    for (double& p : prediction.probabilities) p /= views_of[item];
    prediction.loss /= views_of[item];
    prediction.predicted = top(prediction.probabilities, 1).front();
    result.predictions.push_back(std::move(prediction));
  }
  for (auto& [file, reason] : bad) result.bad_files.push_back({file, reason});
  return result;
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

Evaluation summarize(const Classified& classified, const Dataset& dataset, std::vector<std::string> classes) {
  Evaluation e;
  e.predictions = classified.predictions;
  e.bad_files = classified.bad_files;
  e.clips = static_cast<int64_t>(e.predictions.size());
  e.confusion.assign(classes.size(), std::vector<int64_t>(classes.size(), 0));
  for (const std::string& name : classes) e.per_class.push_back({name, 0, 0});
  e.classes = std::move(classes);

  int64_t in_top5 = 0;
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
  }
  const auto mean = [](double sum, int64_t count) { return count ? sum / static_cast<double>(count) : 0; };
  e.loss = mean(e.loss, e.clips);
  e.top5_accuracy = mean(static_cast<double>(in_top5), e.clips);
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
                      {"views", e.views}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace laban
