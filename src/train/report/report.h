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
  /// The same network, trained and tested on clips with a single, repeated frame.
  std::optional<Evaluation> control;
  bool control_trained_so = true;  // false: it was trained on moving clips, and only tested on single frames
  std::string control_note;        // why there is none; empty if none was requested
  std::optional<Dataset> dataset;
  std::string dataset_note;                   // why there is none
  ClipSource clips;                           // if empty, no frames are shown
  size_t most_mistakes = 12, most_hits = 12;  // contact sheets
  std::string date;                           // of the page: "2026-11-28"; may be empty
};

/// The page. A pure function of its input: no clock, no file names except those given.
std::string report_page(const ReportInput& input);
/// Are these the first bytes of such a page?
bool is_own_page(std::string_view begin);

///
///
/// {"test_accuracy","test_accuracy_ci95","test_clips","single_frame_accuracy",...,"chance","classes","seconds"}
/// as JSON text. Unknown values (no control; `seconds` empty) are null. Throws Error if the run has no test
/// evaluation.
std::string summary_json(const RunRecord& run, const std::optional<Evaluation>& control,
                         std::optional<double> seconds);
/// Are these the first bytes of such a text?
bool is_own_summary(std::string_view begin);

/// Whether the run in `folder` was trained on single frames, according to its config.toml; true if unknown.
bool trained_on_single_frames(const std::filesystem::path& folder);

/// The control's evaluation of a split ("test", "val"): `folder`/evaluation_<split>_single_frame.json, or
/// evaluation_<split>.json if that was made with single frames. Throws FileError if there is neither.
Evaluation read_control(const std::filesystem::path& folder, const std::string& split);

}  // namespace laban::report
