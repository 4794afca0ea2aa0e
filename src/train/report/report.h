// The report of a run: one self-contained HTML file, and the numbers of a demo as JSON.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "data/dataset/dataset.h"
#include "train/report/clips.h"
#include "train/report/run.h"

namespace laban::report {

struct ReportInput {
  RunRecord run;
  /// The network's twin, trained and tested on clips whose frames are all one frame.
  std::optional<Evaluation> control;
  bool control_trained_so = true;  // false: a network that was trained on moving clips, only tested so
  std::string control_note;        // why there is none; empty where nobody asked for one
  std::optional<Dataset> dataset;
  std::string dataset_note;                   // why there is none
  ClipSource clips;                           // may be empty: then no frames are shown
  size_t most_mistakes = 12, most_hits = 12;  // contact sheets
};

/// The page. A pure function of its input: no clock, no file names but those given.
std::string report_page(const ReportInput& input);
/// Are these the first bytes of such a page?
bool is_own_page(std::string_view begin);

/// {"test_accuracy","test_accuracy_ci95","test_clips","single_frame_accuracy",...,"chance","classes","seconds"}
/// as JSON text. What is not known (no control; `seconds` empty) is null. Throws Error where the run has no
/// test evaluation.
std::string summary_json(const RunRecord& run, const std::optional<Evaluation>& control,
                         std::optional<double> seconds);
/// Are these the first bytes of such a text?
bool is_own_summary(std::string_view begin);

/// Whether the run in `folder` was trained on single frames, by its config.toml; true where that cannot be
/// told.
bool trained_on_single_frames(const std::filesystem::path& folder);

/// The control's evaluation of a split ("test", "val"): `folder`/evaluation_<split>_single_frame.json, or
/// evaluation_<split>.json where that was made with single frames. Throws FileError where there is neither.
Evaluation read_control(const std::filesystem::path& folder, const std::string& split);

}  // namespace laban::report
