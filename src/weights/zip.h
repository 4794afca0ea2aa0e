// The part of the zip format that PyTorch's files use: entries stored as they are, without compression.
//
//   for each entry   a local header, the name, padding, the bytes
//   the directory    for each entry its name, size, checksum and where its local header is
//   the end          where the directory is
//
// The directory is what counts; of a local header only the length is used.
#pragma once

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

/// A zip file opened for reading. Throws FileError where it is damaged, or has entries that are compressed,
/// encrypted, named twice or not within the file.
class ZipReader {
 public:
  struct Entry {
    std::span<const std::byte> bytes;
    uint32_t crc = 0;  // of what was stored
    bool compressed = false;
  };

  explicit ZipReader(FileBytes file);

  static bool recognizes(std::span<const std::byte> bytes);
  const std::map<std::string, Entry, std::less<>>& entries() const { return entries_; }
  /// Null where there is no such entry.
  const Entry* find(std::string_view name) const;
  /// Throws FileError where the entry is compressed, or its bytes do not have its checksum: to be called
  /// before they are believed.
  void verify(const std::string& name, const Entry& entry) const;

 private:
  void read_directory(uint64_t begin, uint64_t bytes, uint64_t count);

  FileBytes file_;
  std::map<std::string, Entry, std::less<>> entries_;
};

/// Writes a zip file of less than 4 GiB; finish() puts it in place in one step. Throws FileError where it
/// cannot be written, Error where it would become too large.
class ZipWriter {
 public:
  explicit ZipWriter(std::filesystem::path path) : file_(std::move(path)) {}

  /// The entry's bytes begin at a multiple of 64, as PyTorch likes to map them.
  void add(const std::string& name, std::span<const std::byte> bytes);
  void finish();

 private:
  AtomicFile file_;
  uint64_t position_ = 0;
  uint16_t count_ = 0;
  std::string directory_;
};

}  // namespace laban
