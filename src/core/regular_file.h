// A file opened for reading that is a file: nothing here waits for a pipe's writer or wakes a device.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace laban {

class RegularFile {
 public:
  /// Follows links. FileError where there is no such file, where it may not be read, and, with `advice`,
  /// where it is a folder, a pipe, a device or a socket.
  explicit RegularFile(std::filesystem::path path, const std::string& advice = "");
  ~RegularFile();
  RegularFile(const RegularFile&) = delete;
  RegularFile& operator=(const RegularFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  /// In bytes; that of now, where somebody writes to it.
  int64_t size() const;
  /// Reads what there is from `at` on, as much as `out` holds at most: how many bytes; 0 at the end; -1 where
  /// the disk fails (errno tells).
  int64_t read(int64_t at, std::span<uint8_t> out) const;

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace laban
