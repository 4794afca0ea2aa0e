// Which engine won which convolution: a small JSON file, so that the search need not be repeated.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "cuda/conv/cudnn_engines.h"

namespace laban::cuda {

struct PlanRecord {
  EngineChoice choice;
  double milliseconds = 0;  // as measured when it won
};

/// Entries are kept by GPU and cuDNN version, and by the problem's text: what was measured elsewhere is not
/// used, and not lost either. A file that cannot be used never stops the program: complaint() says what was
/// wrong, and the search simply starts anew.
class PlanFile {
 public:
  /// Remembers only as long as it lives.
  PlanFile() = default;
  /// `gpu`: which GPU, and which cuDNN. A file that is not there yet is no complaint.
  PlanFile(std::filesystem::path path, std::string gpu);

  std::optional<PlanRecord> find(const ConvProblem& problem) const;
  /// Written at once, atomically. Of several programs that write one file the last wins.
  void remember(const ConvProblem& problem, const PlanRecord& record);
  /// What is wrong with the file, in one sentence; empty where nothing is.
  const std::string& complaint() const { return complaint_; }

 private:
  using Records = std::map<std::string, PlanRecord>;  // by the problem's text
  void read();
  void write();

  std::filesystem::path path_;
  std::string gpu_;
  std::map<std::string, Records> gpus_;
  std::string complaint_;
};

}  // namespace laban::cuda
