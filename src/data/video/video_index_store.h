// The indices of a dataset's videos, kept in one file between runs: indexing a video costs more than reading
// a clip from it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "core/regular_file.h"
#include "data/video/video.h"

namespace laban {

/// Identifies the state of a file when it was indexed.
struct FileStamp {
  uint64_t bytes = 0;
  int64_t changed = 0;  // modification time, in the file system's ticks
  bool operator==(const FileStamp&) const = default;
};
/// Empty if there is no such file.
std::optional<FileStamp> stamp_of(const std::filesystem::path& file);

/// Indices by file. An index is valid only for a file of the same size and modification time. The store keeps
/// indices encoded (index_code.h), and those in its file on disk. Thread-safe.
class VideoIndexStore {
 public:
  VideoIndexStore() = default;  // in memory only
  /// Loads `file`; if it is missing, broken, or of another version, it counts as empty. Its paths are
  /// relative to `base`, so that a dataset can be moved; they are absolute if `base` is empty.
  VideoIndexStore(std::filesystem::path file, std::filesystem::path base);
  ~VideoIndexStore();  // saves
  VideoIndexStore(const VideoIndexStore&) = delete;
  VideoIndexStore& operator=(const VideoIndexStore&) = delete;

  /// Null if the store has none for this state of the file.
  std::shared_ptr<const VideoIndex> find(const std::filesystem::path& video, const FileStamp& stamp) const;
  void add(const std::filesystem::path& video, const FileStamp& stamp, const VideoIndex& index);

  /// Writes new entries, merged with those that other programs have written meanwhile; called automatically
  /// from time to time, and at the end. Returns why it could not be written, if so, which is not an error:
  /// the store is only a cache.
  std::string save();

  size_t size() const;

 private:
  struct Entry {
    FileStamp stamp{};
    std::string bytes{};            // new, or
    size_t offset = 0, length = 0;  // in the file
    uint64_t checksum = 0;
    bool stored = false;
  };
  std::string key_of(const std::filesystem::path& video) const;
  std::string bytes_of(const Entry& entry) const;
  void load();
  std::string save_locked();

  std::filesystem::path file_, base_;
  mutable std::mutex mutex_;
  std::shared_ptr<const RegularFile> stored_;  // read, not mapped: it may be cut short at any time
  std::map<std::string, Entry> entries_;
  size_t fresh_ = 0;  // entries that are not in the file
};

/// Throws UsageError if `file` is something other than a store, which a store must not replace.
void require_index_store(const std::filesystem::path& file);

/// A dataset's store: `root`/.laban-packets, or, if that cannot be written, a file in the user's cache folder
/// ($XDG_CACHE_HOME, ~/.cache). Empty if neither can be written.
std::filesystem::path index_store_file(const std::filesystem::path& root);
/// The store in the user's cache folder.
std::filesystem::path user_index_store_file(const std::filesystem::path& root);
/// True if index_store_file() is an existing store in the dataset's own folder.
bool has_index_store(const std::filesystem::path& root);

}  // namespace laban
