// The files in a run's folder.
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
  std::filesystem::path data() const { return path / "data.json"; }         // the clips, and those left out
  std::filesystem::path last() const { return path / "last.safetensors"; }  // the latest state
  std::filesystem::path best() const { return path / "best.safetensors"; }  // best on the validation clips
  std::filesystem::path recipe() const { return path / "recipe.json"; }     // what laban chose, and why
  std::filesystem::path cache() const { return path / "cache"; }            // shrunken copy of the clips
  std::filesystem::path floor() const { return path / "floor.json"; }       // what needs no network
  std::filesystem::path evaluation(const std::string& split, bool single_frame) const {
    return path / ("evaluation_" + split + (single_frame ? "_single_frame" : "") + ".json");
  }

  /// True if a run has begun to train here, or if a file is in the way that was not written by a run.
  bool has_run() const;
  /// True if a run was ended before its first checkpoint: nothing is lost if it is started again.
  bool has_not_begun() const;
  /// Throws UsageError if it contains a run and `overwrite` is false.
  void require_free(bool overwrite) const;
  /// Creates the folder. Throws UsageError if it contains a run and `overwrite` is false; otherwise that
  /// run's files (and no others) are removed. Throws FolderInUse if another process is reading them
  /// (FolderUse).
  void create(bool overwrite) const;
  /// The checkpoint to evaluate: the best, or the last if there were no validation clips. Throws UsageError
  /// if there is neither.
  std::filesystem::path to_evaluate() const;
};

/// A run folder to write to, and the lock that keeps others from doing so.
struct HeldRun {
  RunFolder folder;
  FolderLock lock;
};

/// The first of BASE, BASE-2, BASE-3, ... that contains no run and is not locked by another process.
HeldRun hold_unused_folder(const std::filesystem::path& base, std::string_view activity);

}  // namespace laban
