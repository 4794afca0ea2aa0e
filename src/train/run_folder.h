// What lies where in a run's folder.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/folder_lock.h"

namespace laban {

struct RunFolder {
  std::filesystem::path path;

  std::filesystem::path config() const { return path / "config.toml"; }
  std::filesystem::path metrics() const { return path / "metrics.jsonl"; }
  std::filesystem::path data() const { return path / "data.json"; }         // which clips, which left out
  std::filesystem::path last() const { return path / "last.safetensors"; }  // the latest state
  std::filesystem::path best() const { return path / "best.safetensors"; }  // best on the validation clips
  std::filesystem::path evaluation(const std::string& split, bool single_frame) const {
    return path / ("evaluation_" + split + (single_frame ? "_single_frame" : "") + ".json");
  }

  /// True where a run has begun to train here, and where a file lies in the way that no run has written.
  bool has_run() const;
  /// True where a run was ended before its first checkpoint: nothing is lost if it is started anew.
  bool has_not_begun() const;
  /// Throws UsageError where it holds a run and `overwrite` is false.
  void require_free(bool overwrite) const;
  /// Makes the folder. Throws UsageError where it holds a run and `overwrite` is false; otherwise that run's
  /// files (and no others) are removed. Throws FolderInUse where somebody reads them (FolderUse).
  void create(bool overwrite) const;
  /// The checkpoint to judge a run by: the best, or the last where there were no validation clips. Throws
  /// UsageError where there is neither.
  std::filesystem::path to_evaluate() const;
};

/// The folder of a run that is going to write into it, and what keeps others from doing so.
struct HeldRun {
  RunFolder folder;
  FolderLock lock;
};

/// The first of BASE, BASE-2, BASE-3, ... that holds no run and that no other process holds.
HeldRun hold_unused_folder(const std::filesystem::path& base, std::string_view activity);

}  // namespace laban
