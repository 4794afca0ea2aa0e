#include "core/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>

#include "core/error.h"

namespace laban {
namespace {

/// Makes a rename durable: the folder's own entry has to reach the disk as well.
void flush_folder(const std::filesystem::path& folder) {
  const int file = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return;  // a folder that may be written but not read: the rename has happened all the same
  ::fsync(file);
  ::close(file);
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)), temporary_(path_) {
  temporary_ += ".tmp";
  file_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file_ < 0) fail("cannot be created");
}

AtomicFile::~AtomicFile() {
  if (file_ < 0) return;
  ::close(file_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, size_t bytes) {
  const auto* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(file_, next, bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("cannot be written");
    next += written;
    bytes -= static_cast<size_t>(written);
  }
}

void AtomicFile::commit() {
  require(file_ >= 0, "AtomicFile::commit: called twice");
  if (::fsync(file_) != 0) fail("cannot be flushed to the disk");
  const int closed = ::close(file_);
  file_ = -1;
  if (closed != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int reason = errno;
    ::unlink(temporary_.c_str());
    errno = reason;
    fail("cannot be put in place");
  }
  flush_folder(path_.parent_path());
}

void AtomicFile::fail(const char* doing) const {
  const int reason = errno;
  throw FileError(path_.string(), text(doing, ": ", std::generic_category().message(reason)),
                  reason == ENOSPC ? "Free some space on that disk, or choose another folder."
                                   : "Check that the folder exists and may be written to.");
}

void write_file(const std::filesystem::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

void require_writable(const std::filesystem::path& path) {
  std::error_code code;
  if (std::filesystem::is_directory(path, code))
    throw FileError(path.string(), "is a folder, not a file", "Name a file in it.");
  AtomicFile{path};  // not committed: gone again
}

std::string read_file(const std::filesystem::path& path) {
  std::error_code code;
  if (!std::filesystem::exists(path, code)) throw FileError(path.string(), "does not exist");
  if (std::filesystem::is_directory(path, code)) throw FileError(path.string(), "is a folder, not a file");
  std::ifstream in(path, std::ios::binary);
  std::ostringstream bytes;
  if (in.peek() != std::ifstream::traits_type::eof()) bytes << in.rdbuf();
  if (in.bad() || !in.is_open()) throw FileError(path.string(), "cannot be read", "Check its permissions.");
  return std::move(bytes).str();
}

}  // namespace laban
