// Files that are never half written.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace laban {

/// Writes to `path`.tmp, and commit() makes it `path` in one step: flushed to the disk, renamed, and the
/// folder flushed too, so that after a crash or a power cut `path` holds either the old bytes or all of the
/// new ones. Without commit() the temporary file is removed. Throws FileError (disk full, no permission, ...).
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void commit();

 private:
  [[noreturn]] void fail(const char* doing) const;

  std::filesystem::path path_, temporary_;
  int file_ = -1;
};

/// The same in one call, for small files.
void write_file(const std::filesystem::path& path, std::string_view text);
/// Throws what the two would throw at `path`, for want of the folder or of permission: for the beginning of
/// long work that ends in a file. Leaves a file that is there as it is.
void require_writable(const std::filesystem::path& path);
/// All bytes of a file. Throws FileError where it cannot be read.
std::string read_file(const std::filesystem::path& path);

}  // namespace laban
