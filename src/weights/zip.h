// The part of the zip format that PyTorch's files use: entries stored as they are, without compression.
//
//   for each entry   a local header, the name, padding, the bytes
//   the directory    for each entry its name, size, checksum and the position of its local header
//   the end          the position of the directory
//
// The directory is authoritative; only the length of a local header is used.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/file_bytes.h"
#include "core/files.h"

namespace laban {

/// A zip file opened for reading. Throws FileError if it is damaged, or has entries that are compressed,
/// encrypted, duplicated or not within the file.
class ZipReader {
 public:
  struct Entry {
    uint64_t at = 0, size = 0;  // of its contents in the file
    uint32_t crc = 0;           // of the contents
    bool compressed = false;
  };

  explicit ZipReader(FileBytes file);

  /// By a file's first bytes.
  static bool recognizes(std::span<const std::byte> begin);
  const std::map<std::string, Entry, std::less<>>& entries() const { return entries_; }
  /// Null if there is no such entry.
  const Entry* find(std::string_view name) const;
  /// Throws FileError if the entry is compressed, or its checksum does not match: to be called before its
  /// bytes are used.
  void verify(const std::string& name, const Entry& entry) const;
  /// The entry's bytes, `most` of them at most.
  std::vector<std::byte> read(const Entry& entry, uint64_t most = UINT64_MAX) const {
    return file_.read(entry.at, std::min(entry.size, most));
  }

 private:
  void read_directory(uint64_t begin, uint64_t bytes, uint64_t count);

  FileBytes file_;
  std::map<std::string, Entry, std::less<>> entries_;
};

/// Writes a zip file of less than 4 GiB; finish() puts it in place atomically. Throws FileError if it cannot
/// be written, Error if it would become too large.
class ZipWriter {
 public:
  explicit ZipWriter(std::filesystem::path path) : file_(std::move(path)) {}

  /// The entry's bytes begin at a multiple of 64, as in PyTorch, for memory mapping.
  void add(const std::string& name, std::span<const std::byte> bytes);
  void finish();

 private:
  AtomicFile file_;
  uint64_t position_ = 0;
  uint16_t count_ = 0;
  std::string directory_;
};

}  // namespace laban
