// A dataset that can be learned in seconds, and a config to learn it with.
#pragma once

#include <atomic>
#include <filesystem>
#include <string>
#include <vector>

#include "data/dataset/dataset.h"
#include "train/config/config.h"
#include "train/report/report_fixture.h"
#include "train/trainer.h"

namespace laban::test {

using testing::TemporaryFolder;

/// Class folders `down`, `left`, `right`, `up` with folders of PNG frames: a soft blob on a tinted, noisy
/// ground that moves in its class's direction, wrapping around at the edges. It starts anywhere, so no single
/// frame tells the class.
void write_moving_blobs(const std::filesystem::path& folder, int clips_per_class, uint64_t seed = 1);

/// A small network on small clips: 8 frames of 16 x 16.
Config small_config(const std::filesystem::path& data);

/// Remembers everything.
struct Recorder : TrainingObserver {
  std::vector<StepReport> steps;
  std::vector<EpochReport> epochs;
  std::vector<std::string> notes, checked;
  std::atomic<bool> stop{false};
  int64_t stop_after = -1;  // sets `stop` after this step

  void on_step(const StepReport& report) override {
    steps.push_back(report);
    if (report.step == stop_after) stop = true;
  }
  void on_check(const std::string& split, int64_t done, int64_t of) override {
    checked.push_back(split + " " + std::to_string(done) + "/" + std::to_string(of));
  }
  void on_epoch(const EpochReport& report) override { epochs.push_back(report); }
  void on_note(const std::string& sentence) override { notes.push_back(sentence); }
};

/// The bytes of every tensor in a checkpoint (weights, statistics, optimizer), by name.
std::vector<std::pair<std::string, std::vector<double>>> tensors_of(const std::filesystem::path& checkpoint);

/// metrics.jsonl without what depends on the clock.
std::vector<std::string> timeless_rows(const std::filesystem::path& metrics);

}  // namespace laban::test
