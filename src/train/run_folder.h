// The files in a run's folder.
#pragma once

#include <filesystem>
#include <string>

namespace laban {

struct RunFolder {
  std::filesystem::path path;

  std::filesystem::path config() const { return path / "config.toml"; }
  std::filesystem::path metrics() const { return path / "metrics.jsonl"; }
  std::filesystem::path data() const { return path / "data.json"; }         // the clips, and those left out
  std::filesystem::path last() const { return path / "last.safetensors"; }  // the latest state
  std::filesystem::path best() const { return path / "best.safetensors"; }  // best on the validation clips
  std::filesystem::path evaluation(const std::string& split, bool single_frame) const {
    return path / ("evaluation_" + split + (single_frame ? "_single_frame" : "") + ".json");
  }

  /// True if a run has been started here.
  bool has_run() const;
  /// Throws UsageError if it contains a run and `overwrite` is false.
  void require_free(bool overwrite) const;
  /// Creates the folder. Throws UsageError if it contains a run and `overwrite` is false; otherwise that
  /// run's files (and no others) are removed.
  void create(bool overwrite) const;
  /// The checkpoint to evaluate: the best, or the last if there were no validation clips. Throws UsageError
  /// if there is neither.
  std::filesystem::path to_evaluate() const;

  /// The first of BASE, BASE-2, BASE-3, ... that contains no run.
  static RunFolder unused(const std::filesystem::path& base);
};

}  // namespace laban
