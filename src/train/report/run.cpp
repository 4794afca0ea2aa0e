#include "train/report/run.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"
#include "core/files.h"
#include "train/report/text.h"

namespace laban::report {
namespace {

using nlohmann::json;

/// The file's bytes, or nothing if it cannot be read.
std::optional<std::string> read_text(const std::filesystem::path& file) {
  try {
    return read_file(file);
  } catch (const FileError&) {
    return std::nullopt;
  }
}

// Lenient access: a field of another type counts as missing (a loss of NaN is written as null).
double number(const json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_number() ? it->get<double>() : kMissing;
}
int64_t integer(const json& object, const char* key, int64_t otherwise = 0) {
  const auto it = object.find(key);
  return it != object.end() && it->is_number() ? it->get<int64_t>() : otherwise;
}
std::string word(const json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}
const json& list(const json& object, const char* key) {
  static const json none = json::array();
  const auto it = object.find(key);
  return it != object.end() && it->is_array() ? *it : none;
}
std::optional<Interval> interval(const json& object, const char* key) {
  const json& ends = list(object, key);
  if (ends.size() != 2 || !ends[0].is_number() || !ends[1].is_number()) return std::nullopt;
  return Interval{ends[0].get<double>(), ends[1].get<double>()};
}
template <class T>
std::vector<T> numbers(const json& values) {
  std::vector<T> out;
  for (const json& value : values) out.push_back(value.is_number() ? value.get<T>() : T{});
  return out;
}

void read_metrics(const std::filesystem::path& file, RunRecord& run) {
  const auto content = read_text(file);
  if (!content) {
    run.notes.push_back("There is no metrics.jsonl in the run folder, so there are no learning curves.");
    return;
  }
  std::map<int64_t, StepRow> steps;
  std::map<int64_t, EpochRow> epochs;
  int64_t damaged = 0;
  bool cut_short = false;
  std::istringstream lines(*content);
  for (std::string line; std::getline(lines, line);) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const json row = json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!row.is_object()) {
      // Only a line without a newline can have been cut short by the end of the run; any other is damaged.
      (lines.eof() ? cut_short = true : (++damaged, false));
      continue;
    }
    const std::string kind = word(row, "kind");
    if (kind == "step") {
      const int64_t step = integer(row, "step");
      steps[step] = {integer(row, "epoch"),  step,
                     number(row, "loss"),    number(row, "accuracy"),
                     number(row, "lr"),      number(row, "clips_per_second"),
                     number(row, "waiting"), number(row, "seconds")};
    } else if (kind == "epoch") {
      const int64_t epoch = integer(row, "epoch");
      epochs[epoch] = {epoch,
                       integer(row, "step"),
                       number(row, "train_loss"),
                       number(row, "train_accuracy"),
                       number(row, "val_loss"),
                       number(row, "val_accuracy"),
                       number(row, "lr"),
                       number(row, "seconds")};
    }
  }
  for (const auto& [step, row] : steps) run.steps.push_back(row);
  for (const auto& [epoch, row] : epochs) run.epochs.push_back(row);
  if (cut_short)
    run.notes.push_back(
        "The last line of metrics.jsonl was cut short (the run was interrupted while writing it) and is left "
        "out.");
  if (damaged > 0)
    run.notes.push_back(counted(damaged, "line") + " of metrics.jsonl could not be read and " +
                        (damaged == 1 ? "is" : "are") + " left out.");
  if (run.steps.empty() && run.epochs.empty() && !cut_short && damaged == 0)
    run.notes.push_back("metrics.jsonl has no rows, so there are no learning curves.");
}

void check(const Evaluation& e, const std::string& file) {
  const int64_t classes = static_cast<int64_t>(e.classes.size());
  const auto fail = [&](const std::string& what) {
    throw FileError(file, what, "Recreate it with `laban eval`.");
  };
  if (classes == 0) fail("has no classes");
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

double Prediction::confidence() const {
  const size_t k = static_cast<size_t>(predicted);
  return k < probabilities.size() ? probabilities[k] : kMissing;
}

double Evaluation::commonest_share() const {
  int64_t most = 0, all = 0;
  for (const ClassResult& c : per_class) most = std::max(most, c.count), all += c.count;
  return all > 0 ? static_cast<double>(most) / static_cast<double>(all) : kMissing;
}

int64_t Evaluation::correct() const {
  int64_t sum = 0;
  for (const ClassResult& c : per_class) sum += c.correct;
  return sum;
}

Evaluation read_evaluation(const std::filesystem::path& file) {
  const json document = json::parse(read_file(file), nullptr, /*allow_exceptions=*/false);
  if (!document.is_object())
    throw FileError(file.string(), "is not a JSON object", "Recreate it with `laban eval`.");
  Evaluation e;
  e.split = word(document, "split");
  e.clips = integer(document, "clips");
  for (const json& name : list(document, "classes"))
    e.classes.push_back(name.is_string() ? name.get<std::string>() : name.dump());
  e.accuracy = number(document, "accuracy");
  e.ci95 = interval(document, "accuracy_ci95");
  e.top5 = number(document, "top5_accuracy");
  e.mean_class_accuracy = number(document, "mean_class_accuracy");
  e.loss = number(document, "loss");
  for (const json& row : list(document, "confusion")) e.confusion.push_back(numbers<int64_t>(row));
  for (const json& row : list(document, "per_class"))
    if (row.is_object())
      e.per_class.push_back({word(row, "class"), integer(row, "count"), integer(row, "correct"),
                             number(row, "accuracy"), interval(row, "ci95")});
  for (const json& row : list(document, "predictions"))
    if (row.is_object())
      e.predictions.push_back({word(row, "file"), static_cast<int>(integer(row, "label", -1)),
                               static_cast<int>(integer(row, "predicted", -1)),
                               numbers<double>(list(row, "probabilities")),
                               numbers<int64_t>(list(row, "frames"))});
  for (const json& row : list(document, "bad_files"))
    if (row.is_object()) e.bad_files.push_back({word(row, "file"), word(row, "reason")});
  // With several views the recorded frames are those of the first, which the page does not show.
  if (integer(document, "views", 1) > 1 || integer(document, "crops", 1) > 1)
    for (Prediction& p : e.predictions) p.frames.clear();
  const auto single = document.find("single_frame");
  e.single_frame = single != document.end() && single->is_boolean() && single->get<bool>();
  check(e, file.string());
  return e;
}

double training_seconds(const RunRecord& run) {
  if (!run.steps.empty()) return run.steps.back().seconds;
  return run.epochs.empty() ? kMissing : run.epochs.back().seconds;
}

RunRecord read_run(const std::filesystem::path& folder) {
  if (!std::filesystem::is_directory(folder))
    throw UsageError(text("there is no run folder \"", folder.string(), "\""),
                     "Give the folder that `laban train` wrote.");
  RunRecord run;
  run.folder = folder;
  if (auto config = read_text(folder / "config.toml"))
    run.config = std::move(*config);
  else
    run.notes.push_back("There is no config.toml in the run folder.");
  read_metrics(folder / "metrics.jsonl", run);
  try {
    run.data = read_data_record(folder / "data.json");
  } catch (const FileError& error) {
    run.notes.push_back(error.what());
  }
  const auto evaluation = [&](const char* split) -> std::optional<Evaluation> {
    const auto file = folder / (std::string("evaluation_") + split + ".json");
    if (!std::filesystem::exists(file)) return std::nullopt;
    try {
      return read_evaluation(file);
    } catch (const FileError& error) {
      run.notes.push_back(error.what());
      return std::nullopt;
    }
  };
  run.test = evaluation("test");
  run.validation = evaluation("val");
  return run;
}

}  // namespace laban::report
