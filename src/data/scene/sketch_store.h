// The sketches of a dataset's clips, kept in a file between runs.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "data/scene/sketch.h"
#include "data/video/video_index_store.h"

namespace laban {

/// Sketches by file. One is valid only for a file of the same size and modification time. Not thread-safe.
class SketchStore {
 public:
  SketchStore() = default;  // in memory only
  /// Loads `file`; if it is missing, broken, or of another version, it counts as empty. Its paths are relative to
  /// `base`, so that a dataset can be moved.
  SketchStore(std::filesystem::path file, std::filesystem::path base);

  std::optional<ClipSketch> find(const std::filesystem::path& clip, const FileStamp& stamp) const;
  void add(const std::filesystem::path& clip, const FileStamp& stamp, const ClipSketch& sketch);
  /// Writes the file if there is anything new. That it cannot be written is no error: it is only a cache. A file that
  /// is something else is not replaced.
  void save();

 private:
  struct Entry {
    FileStamp stamp{};
    std::string bytes{};
  };
  std::string key_of(const std::filesystem::path& clip) const;

  std::filesystem::path file_, base_;
  std::map<std::string, Entry> entries_;
  bool fresh_ = false;
};

/// The file for sketches that belongs to a file for video indices; empty if that is.
std::filesystem::path sketch_store_file(const std::filesystem::path& index_store);

}  // namespace laban
