#include "train/report/report.h"

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "train/config/config.h"
#include "train/report/sections.h"
#include "train/report/style.h"
#include "train/report/text.h"

namespace laban::report {
namespace {

constexpr std::string_view kTitleEnd = " · laban report</title>";
constexpr std::string_view kPageMark = "<meta name=\"generator\" content=\"laban report\">";
constexpr std::string_view kSummaryBegin = "{\n  \"test_accuracy\":";  // as summary_json() writes it

nlohmann::json number_or_null(double value) {
  return value == value ? nlohmann::json(value) : nlohmann::json(nullptr);
}
nlohmann::json ends(const std::optional<Interval>& interval) {
  return interval ? nlohmann::json{interval->low, interval->high} : nlohmann::json(nullptr);
}

}  // namespace

bool is_own_page(std::string_view begin) {
  // Reports of earlier versions have no mark, but the same title.
  return begin.find(kPageMark) != std::string_view::npos || begin.find(kTitleEnd) != std::string_view::npos;
}

bool is_own_summary(std::string_view begin) { return begin.starts_with(kSummaryBegin); }

std::string report_page(const ReportInput& input) {
  // "runs/demo/" ends with an empty file name, but the folder's own name is needed.
  const auto folder = (input.run.folder / ".").lexically_normal().parent_path();
  const std::string name = escape(folder.filename().string());
  std::string html =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
      "<meta name=\"referrer\" content=\"no-referrer\">";
  html += kPageMark;
  html += text("<title>", name, kTitleEnd, "<style>", style_sheet(), motion_style(),
               "</style></head>\n<body><header><h1>", name, "</h1>");
  html += run_line(input);
  html +=
      "<nav><a href=\"#result\">Result</a><a href=\"#learning\">Learning curves</a><a "
      "href=\"#classes\">Classes</a>"
      "<a href=\"#clips\">What the network saw</a><a href=\"#data\">Data</a><a "
      "href=\"#config\">Configuration</a></nav></header>\n<main>";
  html += result_section(input);
  html += learning_section(input.run);
  html += classes_section(input);
  html += clips_section(input);
  html += data_section(input);
  html += config_section(input.run);
  html += text(
      "</main>\n<footer>Written by <code>laban report</code>, laban ", LABAN_VERSION,
      input.date.empty() ? "" : ", on " + escape(input.date), ", from ", escape(folder.string()),
      ". Intervals are 95% Wilson intervals; hover over a mark for its numbers.</footer></body></html>\n");
  return html;
}

std::string summary_json(const RunRecord& run, const std::optional<Evaluation>& control,
                         std::optional<double> seconds) {
  if (!run.test)
    throw Error(text("there is no evaluation of the test split in ", run.folder.string()),
                "Run `laban eval --split test` first.");
  const Evaluation& test = *run.test;
  nlohmann::ordered_json out;
  out["test_accuracy"] = number_or_null(test.accuracy);
  out["test_accuracy_ci95"] = ends(test.ci95);
  out["test_clips"] = test.clips;
  out["test_macro_f1"] = number_or_null(test.macro_f1);
  out["test_balanced_accuracy"] = number_or_null(test.mean_class_accuracy);
  out["single_frame_accuracy"] = control ? number_or_null(control->accuracy) : nlohmann::json(nullptr);
  out["single_frame_accuracy_ci95"] = control ? ends(control->ci95) : nlohmann::json(nullptr);
  out["chance"] = test.chance();
  out["classes"] = test.classes.size();
  out["epochs"] = run.epochs.size();
  out["seconds"] = seconds ? nlohmann::json(*seconds) : nlohmann::json(nullptr);
  return out.dump(2) + "\n";
}

bool trained_on_single_frames(const std::filesystem::path& folder) {
  Config config;
  try {
    apply_config_file(config, (folder / "config.toml").string());
  } catch (const Error&) {
    return true;
  }
  return config.clip.single_frame;
}

Evaluation read_control(const std::filesystem::path& folder, const std::string& split) {
  const auto own = folder / ("evaluation_" + split + "_single_frame.json"),
             plain = folder / ("evaluation_" + split + ".json");
  if (std::filesystem::exists(own)) return read_evaluation(own);
  if (std::filesystem::exists(plain))
    if (Evaluation e = read_evaluation(plain); e.single_frame) return e;
  throw FileError(own.string(), "there is no evaluation of the single-frame control",
                  text("Train it with `laban train --single-frame` and measure it with `laban eval --split ",
                       split, "`."));
}

}  // namespace laban::report
