// The indices of a dataset's videos, kept in one file from run to run: looking through a file costs more than
// reading a clip from it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "core/file_bytes.h"
#include "data/video/video.h"

namespace laban {

/// By what a file is known to be the one that was looked through.
struct FileStamp {
  uint64_t bytes = 0;
  int64_t changed = 0;  // time of the last change, in the file system's ticks
  bool operator==(const FileStamp&) const = default;
};
/// Nothing where there is no such file.
std::optional<FileStamp> stamp_of(const std::filesystem::path& file);

/// Indices by file. An index counts only for a file of the same size and time of change. The store keeps them
/// as bytes (index_code.h), and those of its file stay on the disk. May be used by many threads.
class VideoIndexStore {
 public:
  VideoIndexStore() = default;  // keeps indices for as long as it lives
  /// Takes over what `file` holds. One that is missing, broken, or of another version, is an empty one. Paths
  /// in it count from `base`, so that a dataset can be moved; they stand there whole where `base` is empty.
  VideoIndexStore(std::filesystem::path file, std::filesystem::path base);
  ~VideoIndexStore();  // saves
  VideoIndexStore(const VideoIndexStore&) = delete;
  VideoIndexStore& operator=(const VideoIndexStore&) = delete;

  /// Null where the store has none for this state of the file.
  std::shared_ptr<const VideoIndex> find(const std::filesystem::path& video, const FileStamp& stamp) const;
  void add(const std::filesystem::path& video, const FileStamp& stamp, const VideoIndex& index);

  /// Writes what is new, together with what other programs have written meanwhile; happens by itself now and
  /// then, and at the end. Returns why it could not be written: a store that cannot be kept harms nobody.
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
  std::span<const std::byte> bytes_of(const Entry& entry) const;
  void load();
  std::string save_locked();

  std::filesystem::path file_, base_;
  mutable std::mutex mutex_;
  std::shared_ptr<const FileBytes> map_;
  std::map<std::string, Entry> entries_;
  size_t fresh_ = 0;  // entries that are not in the file
};

/// Throws UsageError where something else lies at `file` than a store, which a store must not replace.
void require_packet_store(const std::filesystem::path& file);

/// Where a dataset's store lies: `root`/.laban-packets, or, where nothing can be written there, a file in the
/// user's cache folder ($XDG_CACHE_HOME, ~/.cache). Empty where neither can be.
std::filesystem::path packet_store_file(const std::filesystem::path& root);
/// The one in the user's cache folder.
std::filesystem::path user_packet_store_file(const std::filesystem::path& root);
/// True where packet_store_file() is a store that is there, in the dataset itself.
bool has_packet_store(const std::filesystem::path& root);

}  // namespace laban
