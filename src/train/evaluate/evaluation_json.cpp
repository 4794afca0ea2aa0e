#include "train/evaluate/evaluation_json.h"

#include <algorithm>

#include "core/error.h"
#include "core/files.h"
#include "train/log/json_fields.h"

namespace laban {
namespace {

using fields::Json;

Json ends(const std::optional<Interval>& interval) {
  return interval ? Json::array({interval->low, interval->high}) : Json();
}

std::optional<Interval> interval(const Json& object, const char* key) {
  const Json& ends = fields::list(object, key);
  if (ends.size() != 2 || !ends[0].is_number() || !ends[1].is_number()) return std::nullopt;
  return Interval{ends[0].get<double>(), ends[1].get<double>()};
}

Prediction prediction(const Json& row) {
  Prediction p;
  p.item = -1;
  p.label = static_cast<int>(fields::integer(row, "label", -1));
  p.predicted = static_cast<int>(fields::integer(row, "predicted", -1));
  p.loss = kMissing;
  p.probabilities = fields::numbers<double>(fields::list(row, "probabilities"));
  p.frames = fields::numbers<int64_t>(fields::list(row, "frames"));
  p.file = fields::word(row, "file");
  return p;
}

void validate(const Evaluation& e, const std::string& file) {
  const auto classes = static_cast<int64_t>(e.classes.size());
  const auto fail = [&](const std::string& what) {
    throw FileError(file, what, "Write it again with `laban eval`.");
  };
  if (classes == 0) fail("names no classes");
  if (!e.confusion.empty() && static_cast<int64_t>(e.confusion.size()) != classes)
    fail(text("the confusion matrix has ", e.confusion.size(), " rows for ", classes, " classes"));
  for (const auto& row : e.confusion)
    if (static_cast<int64_t>(row.size()) != classes)
      fail(text("a row of the confusion matrix has ", row.size(), " numbers for ", classes, " classes"));
  for (const Prediction& p : e.predictions) {
    if (p.label < 0 || p.label >= classes || p.predicted < 0 || p.predicted >= classes)
      fail(text("the prediction for \"", p.file, "\" names class ", std::max(p.label, p.predicted), " of ",
                classes));
    if (!p.probabilities.empty() && static_cast<int64_t>(p.probabilities.size()) != classes)
      fail(text("the prediction for \"", p.file, "\" has ", p.probabilities.size(), " probabilities for ",
                classes, " classes"));
  }
}

}  // namespace

std::string to_json(const Evaluation& e) {
  Json per_class = Json::array(), predictions = Json::array();
  for (const ClassResult& c : e.per_class)
    per_class.push_back({{"class", c.name},
                         {"count", c.count},
                         {"correct", c.correct},
                         {"accuracy", c.accuracy},
                         {"ci95", ends(c.ci95)},
                         {"predicted", c.predicted},
                         {"precision", c.precision},
                         {"precision_ci95", ends(c.precision_ci95)},
                         {"f1", c.f1}});
  for (const Prediction& p : e.predictions)
    predictions.push_back({{"file", p.file},
                           {"label", p.label},
                           {"predicted", p.predicted},
                           {"probabilities", p.probabilities},
                           {"frames", p.frames}});
  const Json document{{"split", e.split},
                      {"clips", e.clips},
                      {"classes", e.classes},
                      {"accuracy", e.accuracy},
                      {"accuracy_ci95", ends(e.ci95)},
                      {"top5_accuracy", e.top5_accuracy},
                      {"mean_class_accuracy", e.mean_class_accuracy},
                      {"macro_f1", e.macro_f1},
                      {"loss", e.loss},
                      {"confusion", e.confusion},
                      {"per_class", per_class},
                      {"predictions", predictions},
                      {"bad_files", fields::bad_files(e.bad_files)},
                      {"epoch", e.epoch},
                      {"single_frame", e.single_frame},
                      {"clip_settings", e.clip_settings},
                      {"views", e.views.clips},
                      {"crops", e.views.crops},
                      {"view_accuracy", e.view_accuracy},
                      {"view_top5_accuracy", e.view_top5_accuracy}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Evaluation read_evaluation(const std::filesystem::path& file) {
  const Json document = fields::parse(read_file(file));
  if (!document.is_object())
    throw FileError(file.string(), "is not a JSON object", "Write it again with `laban eval`.");
  Evaluation e;
  e.split = fields::word(document, "split");
  e.clips = fields::integer(document, "clips");
  for (const Json& name : fields::list(document, "classes"))
    e.classes.push_back(name.is_string() ? name.get<std::string>() : name.dump());
  e.accuracy = fields::number(document, "accuracy");
  e.ci95 = interval(document, "accuracy_ci95");
  e.top5_accuracy = fields::number(document, "top5_accuracy");
  e.mean_class_accuracy = fields::number(document, "mean_class_accuracy");
  e.macro_f1 = fields::number(document, "macro_f1");
  e.loss = fields::number(document, "loss");
  for (const Json& row : fields::list(document, "confusion"))
    e.confusion.push_back(fields::numbers<int64_t>(row));
  for (const Json& row : fields::list(document, "per_class"))
    if (row.is_object())
      e.per_class.push_back({.name = fields::word(row, "class"),
                             .count = fields::integer(row, "count"),
                             .correct = fields::integer(row, "correct"),
                             .accuracy = fields::number(row, "accuracy"),
                             .ci95 = interval(row, "ci95"),
                             .predicted = fields::integer(row, "predicted"),
                             .precision = fields::number(row, "precision"),
                             .precision_ci95 = interval(row, "precision_ci95"),
                             .f1 = fields::number(row, "f1")});
  for (const ClassResult& c : e.per_class) e.correct += c.correct;
  for (const Json& row : fields::list(document, "predictions"))
    if (row.is_object()) e.predictions.push_back(prediction(row));
  e.bad_files = fields::bad_files(document, "bad_files");
  e.epoch = fields::integer(document, "epoch", 0);
  e.single_frame = fields::flag(document, "single_frame");
  e.views.clips = static_cast<int>(fields::integer(document, "views", 1));
  e.views.crops = static_cast<int>(fields::integer(document, "crops", 1));
  e.view_accuracy = fields::number(document, "view_accuracy");
  e.view_top5_accuracy = fields::number(document, "view_top5_accuracy");
  validate(e, file.string());
  return e;
}

}  // namespace laban
