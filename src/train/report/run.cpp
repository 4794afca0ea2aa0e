#include "train/report/run.h"

#include <algorithm>
#include <map>
#include <sstream>

#include "core/error.h"
#include "core/files.h"
#include "train/log/json_fields.h"
#include "train/report/text.h"

namespace laban::report {
namespace {

using namespace fields;

/// The file's bytes, or nothing if it cannot be read.
std::optional<std::string> read_text(const std::filesystem::path& file) {
  try {
    return read_file(file);
  } catch (const FileError&) {
    return std::nullopt;
  }
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
    const Json row = fields::parse(line);
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
                       number(row, "seconds"),
                       number(row, "val_macro_f1"),
                       number(row, "val_balanced_accuracy"),
                       flag(row, "best")};
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

}  // namespace

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
      Evaluation e = read_evaluation(file);
      // With several views the recorded frames are those of the first, which the page does not show.
      if (e.views.count() > 1)
        for (Prediction& p : e.predictions) p.frames.clear();
      return e;
    } catch (const FileError& error) {
      run.notes.push_back(error.what());
      return std::nullopt;
    }
  };
  run.test = evaluation("test");
  run.val = evaluation("val");
  run.floor = floor_of(folder);
  run.recipe = recipe_of(folder);
  return run;
}

}  // namespace laban::report
