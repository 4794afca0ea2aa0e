// laban report: a run folder as one HTML page.
#include <array>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "cli/open_data.h"
#include "cli/options.h"
#include "commands/commands.h"
#include "core/error.h"
#include "core/files.h"
#include "core/folder_lock.h"
#include "train/config/config.h"
#include "train/report/report.h"
#include "train/run_folder.h"

namespace laban::tools {
namespace {

struct Options {
  std::string run, control, output, data, summary;
  std::optional<double> seconds;
  int clips = 12;
};

/// Opens the data that the run was trained on, for the table of splits and the contact sheets. A report is
/// worth having without it: whatever fails becomes a sentence on the page.
void add_dataset(report::ReportInput& input, const Options& options) {
  const auto file = std::filesystem::path(options.run) / "config.toml";
  try {
    if (!std::filesystem::exists(file)) {
      input.dataset_note = "Without config.toml it is not known which data and which sampling the run used.";
      return;
    }
    Config config;
    apply_config_file(config, file.string());
    forget_files_to_write(config);
    if (options.data.empty())
      keep_index_apart(config);
    else
      config.data.path = options.data;
    resolve(config);
    if (!std::filesystem::exists(config.data.path)) {
      input.dataset_note =
          text("The data \"", config.data.path, "\" is not there (any more); give its place with `--data`.");
      return;
    }
    input.dataset = open_data(config, config.data.path);
    if (options.clips > 0)
      input.clips = report::dataset_clips(*input.dataset, loader_settings(config, SampleMode::test));
  } catch (const Error& error) {
    input.dataset_note = text("The data could not be opened: ", error.on_one_line());
  }
}

/// Of the local calendar.
std::string date_today() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  std::array<char, 16> date{};
  if (!::localtime_r(&now, &local) || std::strftime(date.data(), date.size(), "%Y-%m-%d", &local) == 0)
    return "";
  return date.data();
}

void write_report(const Options& options) {
  report::ReportInput input;
  const FolderUse reading(options.run, FolderUse::Kind::read);
  input.run = report::read_run(options.run);
  if (!RunFolder{options.run}.has_run())
    throw UsageError(text(options.run, " holds no run to report on"),
                     "Give the folder that `laban train` wrote.");
  const std::filesystem::path output = options.output.empty()
                                           ? std::filesystem::path(options.run) / "report.html"
                                           : std::filesystem::path(options.output);
  require_replaceable(output, "a report", report::is_own_page);
  require_writable(output);
  if (!options.summary.empty()) {
    require_replaceable(options.summary, "a report's summary", report::is_own_summary);
    require_writable(options.summary);
  }
  if (!options.control.empty()) {
    try {
      // Like is compared with like: the split that the page is about.
      input.control =
          report::read_control(options.control, input.run.test || !input.run.val ? "test" : "val");
      input.control_trained_so = report::trained_on_single_frames(options.control);
    } catch (const Error& error) {
      input.control_note = error.on_one_line();
    }
  }
  add_dataset(input, options);
  input.date = date_today();
  input.most_mistakes = input.most_hits = static_cast<size_t>(options.clips);
  write_file(output, report::report_page(input));
  std::printf("wrote %s\n", output.c_str());
  for (const std::string& sentence : {input.control_note, input.dataset_note})
    if (!sentence.empty()) std::fprintf(stderr, "laban report: %s\n", sentence.c_str());
  if (!options.summary.empty()) {
    write_file(options.summary, report::summary_json(input.run, input.control, options.seconds));
    std::printf("wrote %s\n", options.summary.c_str());
  }
}

}  // namespace

void add_report(Command& program) {
  auto options = std::make_shared<Options>();
  Command& command = program.subcommand("report", "write a run's results as one self-contained HTML page");
  command.add("RUN,--run", options->run, "run folder").path(PathKind::folder).required();
  command.add("--control", options->control, "run folder of the single-frame control to compare with")
      .path(PathKind::folder);
  command.add("-o,--output", options->output, "HTML file to write")
      .path(PathKind::file)
      .shown_default("RUN/report.html");
  command.add("--data", options->data, "dataset folder, or a list of clips")
      .value("DATA")
      .path(PathKind::any)
      .shown_default("the one it was trained on");
  command
      .add("--clips", options->clips,
           "contact sheets of wrong and of right predictions, at most so many each")
      .range(0, 1000);
  command.add("--summary", options->summary, "also write the headline numbers to this JSON file")
      .path(PathKind::file);
  command.add("--seconds", options->seconds, "\"seconds\" in the summary: how long everything took")
      .range(0.0, 1e9);
  command.example("laban report runs/clips").example("laban report runs/clips -o page.html --clips 30");
  command.action([options] { write_report(*options); });
}

}  // namespace laban::tools
