#include "train/floor/floor.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/hash.h"
#include "core/text.h"
#include "data/video/watch.h"
#include "train/checkpoint.h"
#include "train/floor/logistic.h"
#include "train/log/json_fields.h"
#include "train/report/text.h"

namespace laban {
namespace {

using fields::Json;
constexpr const char* kFormat = "laban.floor.1";
constexpr int kFrames = 16;
constexpr PictureSize kThumbnail{12, 16};

/// At most `most` of them, evenly chosen.
std::vector<int> some_of(const std::vector<int>& items, int64_t most) {
  const auto count = static_cast<int64_t>(items.size());
  if (count <= most) return items;
  std::vector<int> some;
  for (int64_t i = 0; i < most; ++i) some.push_back(items[static_cast<size_t>(i * count / most)]);
  return some;
}

/// What the classifiers see of the clips of a split.
struct Look {
  LabeledRows appearance{
      .columns = int64_t{3} * kThumbnail.height * kThumbnail.width, .values = {}, .labels = {}};
  LabeledRows motion{.columns = int64_t{kThumbnail.height} * kThumbnail.width, .values = {}, .labels = {}};
  std::vector<int> items;
};

void add_clip(Look& look, const Batch& batch, int64_t sample) {
  const Shape& shape = batch.shape;
  const int64_t pixels = shape.h * shape.w;
  std::vector<double> mean(static_cast<size_t>(3 * pixels), 0.0), moved(static_cast<size_t>(pixels), 0.0);
  std::vector<double> gray(static_cast<size_t>(pixels)), before;
  for (int64_t t = 0; t < shape.t; ++t) {
    const float* const frame = batch.clips.data() + shape.index(sample, t, 0, 0, 0);
    for (int64_t i = 0; i < pixels; ++i) {
      const float* const rgb = frame + 3 * i;
      for (int64_t c = 0; c < 3; ++c)
        mean[static_cast<size_t>(3 * i + c)] += static_cast<double>(rgb[c]) / static_cast<double>(shape.t);
      gray[static_cast<size_t>(i)] = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
      if (t > 0)
        moved[static_cast<size_t>(i)] +=
            std::abs(gray[static_cast<size_t>(i)] - before[static_cast<size_t>(i)]) /
            static_cast<double>(shape.t - 1);
    }
    before = gray;
  }
  const auto label = batch.labels[static_cast<size_t>(sample)];
  look.appearance.values.insert(look.appearance.values.end(), mean.begin(), mean.end());
  look.motion.values.insert(look.motion.values.end(), moved.begin(), moved.end());
  look.appearance.labels.push_back(label);
  look.motion.labels.push_back(label);
  look.items.push_back(batch.items[static_cast<size_t>(sample)]);
}

LoaderSettings how_to_look(const Config& config, const std::atomic<bool>* stop) {
  LoaderSettings settings = loader_settings(config, SampleMode::test);
  settings.sampler = {.kind = SamplerKind::tsn, .frames = kFrames};
  settings.transform = {};
  settings.transform.rule = ScaleRule::frame;
  settings.transform.crop = kThumbnail;
  settings.transform.mean = {0, 0, 0}, settings.transform.std = {1, 1, 1};
  settings.batch = 8;
  settings.single_frame = config.clip.single_frame;
  settings.on_bad_file = OnBadFile::exclude;  // a bad test clip must not keep anybody from training
  settings.stop = stop;
  return settings;
}

/// Rows whose group's hash falls on `fold` of five, and the others.
std::pair<LabeledRows, LabeledRows> split_rows(const LabeledRows& rows,
                                               const std::vector<std::string>& groups) {
  LabeledRows fitted{.columns = rows.columns, .values = {}, .labels = {}}, held = fitted;
  for (int64_t i = 0; i < rows.rows(); ++i) {
    const std::string& group = groups[static_cast<size_t>(i)];
    const bool is_held = fnv1a(std::string_view(group)) % 5 == 0;
    LabeledRows& to = is_held ? held : fitted;
    to.values.insert(to.values.end(), rows.row(i).begin(), rows.row(i).end());
    to.labels.push_back(rows.labels[static_cast<size_t>(i)]);
  }
  return {fitted, held};
}

double loss_on(const LogisticRegression& model, const LabeledRows& rows, const std::vector<double>& weight) {
  double loss = 0;
  for (int64_t i = 0; i < rows.rows(); ++i) {
    const auto label = static_cast<size_t>(rows.labels[static_cast<size_t>(i)]);
    loss -= weight[label] * std::log(std::max(1e-12, model.probabilities(rows.row(i))[label]));
  }
  return loss;
}

/// Fits with the penalty that does best on a fifth of the training groups, held out.
LogisticRegression fit(const LabeledRows& rows, const std::vector<std::string>& groups, int64_t classes) {
  std::vector<double> count(static_cast<size_t>(classes), 0.0);
  for (const int label : rows.labels) ++count[static_cast<size_t>(label)];
  double most = 0, fewest = INFINITY;
  for (const double c : count)
    if (c > 0) most = std::max(most, c), fewest = std::min(fewest, c);
  const bool balanced = most >= static_cast<double>(kUneven) * fewest;
  LogisticRegression::Settings settings{.classes = classes, .balanced = balanced};
  // About 3e10 multiplications in all, whatever the number of clips and classes.
  const double work = 4.0 * static_cast<double>(rows.values.size()) * static_cast<double>(classes);
  settings.iterations = static_cast<int>(std::clamp(3e10 / work / 5, 15.0, 200.0));
  constexpr double kPenalties[] = {1e-1, 1e-2, 1e-3, 1e-4};
  settings.penalty = 1e-2;
  const auto [fitted, held] = split_rows(rows, groups);
  if (fitted.rows() > 0 && held.rows() > 0) {
    std::vector<double> weight(count.size(), 1.0);
    if (balanced)
      for (size_t k = 0; k < count.size(); ++k) weight[k] = count[k] > 0 ? 1 / count[k] : 0;
    double least = INFINITY;
    std::optional<LogisticRegression> warm;
    LogisticRegression::Settings trial = settings;
    for (const double penalty : kPenalties) {
      trial.penalty = penalty;
      LogisticRegression model(fitted, trial, warm ? &*warm : nullptr);
      if (const double loss = loss_on(model, held, weight); loss < least)
        least = loss, settings.penalty = penalty;
      warm = std::move(model);
    }
  }
  return LogisticRegression(rows, settings);
}

FloorScore score_of(const Dataset& dataset, const std::string& split, const Look& look,
                    const std::function<std::vector<double>(int64_t)>& probabilities) {
  Classified classified;
  for (size_t i = 0; i < look.items.size(); ++i) {
    Prediction p;
    p.item = look.items[i];
    p.label = look.appearance.labels[i];
    p.probabilities = probabilities(static_cast<int64_t>(i));
    p.predicted = top(p.probabilities, 1).front();
    classified.predictions.push_back(std::move(p));
  }
  const Evaluation e = summarize(classified, dataset, dataset.classes);
  return {split, e.clips, e.accuracy, e.mean_class_accuracy, e.macro_f1, e.ci95};
}

double by_which(const FloorScore& score, BestBy by) {
  return by == BestBy::macro_f1 ? score.macro_f1 : score.accuracy;
}

}  // namespace

std::optional<Floor> measure_floor(const Dataset& dataset, const Config& config,
                                   const FloorProgress& progress, const std::atomic<bool>* stop) {
  const auto start = std::chrono::steady_clock::now();
  Floor floor;
  floor.dataset = fingerprint(dataset, {});
  std::array<Look, 3> looks;
  std::array<std::vector<int>, 3> items;
  int64_t all = 0, done = 0, left_out = 0;
  for (const Split split : {Split::train, Split::val, Split::test}) {
    const auto s = static_cast<size_t>(split);
    items[s] =
        some_of(dataset.of(split), split == Split::train ? kMostFloorTrainClips : kMostFloorOtherClips);
    all += static_cast<int64_t>(items[s].size());
    if (items[s].size() < dataset.of(split).size())
      floor.notes.push_back(text("of ", dataset.of(split).size(), " clips in ", kSplitNames[s], ", ",
                                 items[s].size(), " were looked at"));
  }
  try {
    for (size_t s = 0; s < looks.size(); ++s) {
      if (items[s].empty()) continue;
      LoaderSettings settings = how_to_look(config, stop);
      // Every file is indexed first, which is most of the work where the index has not been stored yet.
      settings.on_check = [&](int64_t files, int64_t) {
        if (progress) static_cast<void>(progress(done + files / 2, all));
      };
      std::optional<Loader> loader;
      try {
        loader.emplace(dataset, items[s], settings);
      } catch (const Canceled&) {
        throw;
      } catch (const Error&) {  // none of this split's clips can be read
        left_out += static_cast<int64_t>(items[s].size());
        continue;
      }
      left_out += static_cast<int64_t>(loader->bad_files().size());
      loader->start(0, 0, /*one_epoch=*/true);
      int64_t read = 0;
      while (const auto batch = loader->next()) {
        for (int64_t i = 0; i < batch->shape.n; ++i) add_clip(looks[s], *batch, i);
        read += batch->shape.n;
        const auto half = static_cast<int64_t>(items[s].size()) / 2;
        if (progress && !progress(done + half + read / 2, all)) return std::nullopt;
      }
      done += static_cast<int64_t>(items[s].size());
    }
  } catch (const Canceled&) {
    return std::nullopt;
  }
  const Look& train = looks[0];
  if (train.items.empty())
    throw Error(text(dataset.root.string(), ": none of the training clips can be read"),
                "`laban check` says what is wrong with them.");
  if (left_out > 0) floor.notes.push_back(text(left_out, " clips could not be read and were left out"));
  floor.train_clips = static_cast<int64_t>(train.items.size());

  const auto classes = static_cast<int64_t>(dataset.classes.size());
  std::vector<double> frequency(static_cast<size_t>(classes), 0.0);
  std::vector<std::string> groups;
  for (const int item : train.items) {
    const DatasetItem& from = dataset.items[static_cast<size_t>(item)];
    frequency[static_cast<size_t>(from.label)] += 1 / static_cast<double>(train.items.size());
    groups.push_back(from.group.empty() ? from.name : from.group);
  }
  floor.methods = {{"majority", {}}, {"appearance", {}}, {"motion", {}}};
  const LogisticRegression appearance = fit(train.appearance, groups, classes),
                           motion = fit(train.motion, groups, classes);
  for (const Split split : {Split::val, Split::test}) {
    const auto s = static_cast<size_t>(split);
    const Look& look = looks[s];
    if (look.items.empty()) continue;
    const std::string name = kSplitNames[s];
    floor.methods[0].scores.push_back(score_of(dataset, name, look, [&](int64_t) { return frequency; }));
    floor.methods[1].scores.push_back(score_of(
        dataset, name, look, [&](int64_t i) { return appearance.probabilities(look.appearance.row(i)); }));
    floor.methods[2].scores.push_back(
        score_of(dataset, name, look, [&](int64_t i) { return motion.probabilities(look.motion.row(i)); }));
  }
  floor.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return floor;
}

std::optional<Floor::Best> Floor::best(const std::string& split, BestBy by) const {
  std::optional<Best> best;
  for (const FloorMethod& method : methods)
    for (const FloorScore& score : method.scores)
      if (score.split == split && (!best || by_which(score, by) > by_which(*best->score, by)))
        best = Best{&method, &score};
  return best;
}

BestBy floor_criterion(std::span<const int64_t> clips_by_class) {
  int64_t most = 0, fewest = INT64_MAX;
  for (const int64_t count : clips_by_class)
    if (count > 0) most = std::max(most, count), fewest = std::min(fewest, count);
  return most / kUneven >= fewest ? BestBy::macro_f1 : BestBy::accuracy;
}

std::string floor_words(const std::string& method) {
  if (method == "majority") return "the most common class";
  if (method == "appearance") return "logistic regression on the mean frame";
  if (method == "motion") return "logistic regression on motion maps";
  return method;
}

std::string below_floor(const Floor& floor, const std::string& split, BestBy by, double reached) {
  const auto best = floor.best(split, by);
  if (!best || !std::isfinite(reached) || reached > by_which(*best->score, by)) return "";
  const char* const what = by == BestBy::macro_f1 ? "macro-F1" : "accuracy";
  return text(
      "The network is not better than the floor: ", what, " ", report::fixed(reached, 3), " on ", split,
      ", where ", floor_words(best->method->name), " reaches ", report::fixed(by_which(*best->score, by), 3),
      ". Try more --minutes, weights trained on other videos (--weights), or more clips; `laban preview` shows "
      "whether the clips contain what tells the classes apart, `laban check` whether the files are in order.");
}

std::string to_json(const Floor& floor) {
  Json methods = Json::array();
  for (const FloorMethod& method : floor.methods) {
    Json scores = Json::object();
    for (const FloorScore& score : method.scores)
      scores[score.split] = {
          {"clips", score.clips},
          {"accuracy", score.accuracy},
          {"accuracy_ci95", score.ci95 ? Json::array({score.ci95->low, score.ci95->high}) : Json(nullptr)},
          {"balanced_accuracy", score.balanced_accuracy},
          {"macro_f1", score.macro_f1}};
    methods.push_back({{"method", method.name}, {"splits", scores}});
  }
  const Json document{
      {"format", kFormat},        {"dataset", floor.dataset}, {"train_clips", floor.train_clips},
      {"seconds", floor.seconds}, {"methods", methods},       {"notes", floor.notes}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Floor read_floor(const std::filesystem::path& file) {
  const Json document = Json::parse(read_file(file), nullptr, /*allow_exceptions=*/false);
  if (!document.is_object() || fields::word(document, "format") != kFormat)
    throw FileError(file.string(), "is not a floor that this version of laban can read",
                    "Write it again with `laban floor`.");
  Floor floor;
  floor.dataset = fields::word(document, "dataset");
  floor.train_clips = fields::integer(document, "train_clips");
  floor.seconds = fields::number(document, "seconds");
  for (const Json& note : fields::list(document, "notes"))
    if (note.is_string()) floor.notes.push_back(note.get<std::string>());
  for (const Json& row : fields::list(document, "methods")) {
    if (!row.is_object()) continue;
    FloorMethod method{fields::word(row, "method"), {}};
    const auto splits = row.find("splits");
    if (splits != row.end() && splits->is_object())
      for (const auto& [split, score] : splits->items()) {
        if (!score.is_object()) continue;
        FloorScore to{split,
                      fields::integer(score, "clips"),
                      fields::number(score, "accuracy"),
                      fields::number(score, "balanced_accuracy"),
                      fields::number(score, "macro_f1"),
                      {}};
        const std::vector<double> ends = fields::numbers<double>(fields::list(score, "accuracy_ci95"));
        if (ends.size() == 2) to.ci95 = Interval{ends[0], ends[1]};
        method.scores.push_back(std::move(to));
      }
    floor.methods.push_back(std::move(method));
  }
  return floor;
}

std::optional<Floor> floor_of(const std::filesystem::path& run) {
  std::error_code failed;
  const std::filesystem::path file = run / "floor.json";
  if (!std::filesystem::is_regular_file(file, failed)) return std::nullopt;
  try {
    return read_floor(file);
  } catch (const FileError&) {
    return std::nullopt;
  }
}

}  // namespace laban
