// Run folders like the trainer's, written by hand.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace laban::testing {

/// A new folder that goes when the object goes.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "laban_report_XXXXXX").string();
    if (!mkdtemp(pattern.data())) throw std::runtime_error("no temporary folder: " + pattern);
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  void write(const std::string& name, const std::string& content) const {
    std::ofstream(path_ / name, std::ios::binary) << content;
  }

 private:
  std::filesystem::path path_;
};

/// An evaluation of 3 classes and 6 clips: 4 right, `hostile` the file name of the first (wrong) clip.
inline nlohmann::json three_class_evaluation(const std::string& hostile = "circle/a.mp4") {
  using nlohmann::json;
  const auto prediction = [](const std::string& file, int label, int predicted, std::vector<double> p) {
    return json{{"file", file},
                {"label", label},
                {"predicted", predicted},
                {"probabilities", p},
                {"frames", {0, 5, 9}}};
  };
  const auto row = [](const char* name, int count, int correct, double low, double high) {
    return json{{"class", name},
                {"count", count},
                {"correct", correct},
                {"accuracy", static_cast<double>(correct) / count},
                {"ci95", {low, high}}};
  };
  return {{"split", "test"},
          {"clips", 6},
          {"classes", {"circle", "slide", "spin"}},
          {"accuracy", 4.0 / 6},
          {"accuracy_ci95", {0.3000, 0.9032}},
          {"top5_accuracy", 1.0},
          {"mean_class_accuracy", 0.6667},
          {"loss", 0.8125},
          {"confusion", {{1, 1, 0}, {0, 2, 0}, {1, 0, 1}}},
          {"per_class",
           {row("circle", 2, 1, 0.0945, 0.9055), row("slide", 2, 2, 0.3424, 1.0),
            row("spin", 2, 1, 0.0945, 0.9055)}},
          {"predictions",
           {prediction(hostile, 0, 1, {0.125, 0.75, 0.125}),
            prediction("circle/b.mp4", 0, 0, {0.875, 0.0625, 0.0625}),
            prediction("slide/a.mp4", 1, 1, {0.25, 0.5, 0.25}),
            prediction("slide/b.mp4", 1, 1, {0.0, 1.0, 0.0}), prediction("spin/a.mp4", 2, 2, {0.1, 0.2, 0.7}),
            prediction("spin/b.mp4", 2, 0, {0.8125, 0.0, 0.1875})}},
          {"bad_files", json::array()},
          {"single_frame", false}};
}

inline std::string step_line(int64_t epoch, int64_t step, double loss) {
  return nlohmann::json{{"kind", "step"},
                        {"epoch", epoch},
                        {"step", step},
                        {"loss", loss},
                        {"accuracy", 0.5},
                        {"lr", 0.01},
                        {"clips_per_second", 20.0},
                        {"waiting", 0.25},
                        {"seconds", 2.0 * static_cast<double>(step)}}
             .dump() +
         "\n";
}
inline std::string epoch_line(int64_t epoch, int64_t step, double val_accuracy) {
  return nlohmann::json{{"kind", "epoch"},
                        {"epoch", epoch},
                        {"step", step},
                        {"train_loss", 1.0},
                        {"train_accuracy", 0.5},
                        {"val_loss", 1.125},
                        {"val_accuracy", val_accuracy},
                        {"lr", 0.01},
                        {"seconds", 2.0 * static_cast<double>(step)}}
             .dump() +
         "\n";
}

}  // namespace laban::testing
