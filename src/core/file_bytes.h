// A file's bytes, read as they are needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace laban {

/// A file that stays open, or bytes in memory that stand for one. Copies share it.
///
/// Files are not mapped into memory: who cuts a mapped file short kills the program that looks at it. Here it
/// is an error with a sentence.
class FileBytes {
 public:
  /// Opens a file. Throws FileError where `path` is missing, no file, or not readable.
  explicit FileBytes(std::filesystem::path path);
  /// `bytes` must outlive this and its copies. `path` is for messages.
  FileBytes(std::filesystem::path path, std::span<const std::byte> bytes);

  const std::filesystem::path& path() const { return path_; }
  uint64_t size() const { return size_; }

  /// Fills `out` with the bytes from `at` on, which must lie within the file. Throws FileError where the file
  /// has been changed since it was opened, or its disk fails.
  void read(uint64_t at, std::span<std::byte> out) const;
  /// `bytes` of them; fewer at the end.
  std::vector<std::byte> read(uint64_t at, uint64_t bytes) const;
  /// Hands over `bytes` of them, in pieces of at most a MiB.
  void for_each_piece(uint64_t at, uint64_t bytes,
                      const std::function<void(std::span<const std::byte>)>& take) const;

 private:
  struct OpenFile;

  std::filesystem::path path_;
  std::shared_ptr<const OpenFile> file_;  // null: in memory
  std::span<const std::byte> memory_;
  uint64_t size_ = 0;
};

}  // namespace laban
