// The report's sections: each turns a part of the input into HTML, and says in a sentence what is missing.
#pragma once

#include <string>

#include "train/report/report.h"

namespace laban::report {

/// A sentence in place of something that is missing.
std::string note(const std::string& sentence);
/// The evaluation that the page is about: of the test split, else of the validation split, else null.
const Evaluation* headline(const RunRecord& run);

/// The line under the title: what was trained, for how long.
std::string run_line(const ReportInput& input);
/// Headline numbers with intervals, against chance and the control, and what they mean in a sentence.
std::string result_section(const ReportInput& input);
/// Loss, accuracy, learning rate, speed and waiting.
std::string learning_section(const RunRecord& run);
/// Confusion matrix, accuracy by class, the commonest confusions.
std::string classes_section(const ReportInput& input);
/// Contact sheets.
std::string clips_section(const ReportInput& input);
/// Clips by class and split, files left out.
std::string data_section(const ReportInput& input);
std::string config_section(const RunRecord& run);

}  // namespace laban::report
