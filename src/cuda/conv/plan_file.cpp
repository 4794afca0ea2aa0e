#include "cuda/conv/plan_file.h"

#include <nlohmann/json.hpp>

#include "core/files.h"

namespace laban::cuda {
namespace {

constexpr const char* kFormat = "laban cuDNN plans, version 1";

}  // namespace

PlanFile::PlanFile(std::filesystem::path path, std::string gpu)
    : path_(std::move(path)), gpu_(std::move(gpu)) {
  read();
}

void PlanFile::read() {
  std::error_code missing;
  if (!std::filesystem::exists(path_, missing)) return;
  try {
    const nlohmann::json file = nlohmann::json::parse(read_file(path_));
    if (file.at("format") != kFormat) {
      complaint_ = text(path_.string(), " is not a file of ", kFormat, "; it will be replaced");
      return;
    }
    const char* const gpus = file.contains("gpus") ? "gpus" : "cards";  // its name in earlier files
    for (const auto& [gpu, problems] : file.at(gpus).items())
      for (const auto& [problem, entry] : problems.items()) {
        PlanRecord& record = gpus_[gpu][problem];
        record.choice.engine = entry.at("engine").get<int64_t>();
        record.choice.knobs = entry.at("knobs").get<std::vector<std::pair<int64_t, int64_t>>>();
        record.milliseconds = entry.at("milliseconds").get<double>();
      }
  } catch (const nlohmann::json::exception&) {
    gpus_.clear();
    complaint_ = text(path_.string(), " is damaged: it holds no list of plans; it will be replaced");
  } catch (const Error& error) {
    complaint_ = text("plans cannot be read: ", error.what());
  }
}

std::optional<PlanRecord> PlanFile::find(const ConvProblem& problem) const {
  const auto records = gpus_.find(gpu_);
  if (records == gpus_.end()) return std::nullopt;
  const auto record = records->second.find(text(problem));
  if (record == records->second.end()) return std::nullopt;
  return record->second;
}

void PlanFile::remember(const ConvProblem& problem, const PlanRecord& record) {
  gpus_[gpu_][text(problem)] = record;
  if (!path_.empty()) write();
}

void PlanFile::write() {
  nlohmann::ordered_json file;
  file["format"] = kFormat;
  for (const auto& [gpu, records] : gpus_)
    for (const auto& [problem, record] : records)
      file["gpus"][gpu][problem] = {{"milliseconds", record.milliseconds},
                                    {"engine", record.choice.engine},
                                    {"knobs", record.choice.knobs}};
  try {
    if (path_.has_parent_path()) std::filesystem::create_directories(path_.parent_path());
    remove_abandoned_files(path_.parent_path());
    write_file(path_, file.dump(1) + "\n");
  } catch (const std::filesystem::filesystem_error& error) {
    complaint_ = text("plans cannot be kept in ", path_.string(), ": ", error.code().message());
  } catch (const Error& error) {
    complaint_ = text("plans cannot be kept: ", error.what());
  }
}

}  // namespace laban::cuda
