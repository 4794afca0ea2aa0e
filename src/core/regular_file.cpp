#include "core/regular_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/machine_error.h"

namespace laban {
namespace {

const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a named pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

}  // namespace

RegularFile::RegularFile(std::filesystem::path path, const std::string& advice) : path_(std::move(path)) {
  const auto require_regular = [&](const struct stat& facts) {
    if (!S_ISREG(facts.st_mode))
      throw FileError(path_.string(), text("is not a regular file, but ", kind_of(facts.st_mode)), advice);
  };
  const auto fail = [&] {
    if (errno != ENOENT && errno != ENOTDIR) throw_file_fault(path_, "cannot be opened", errno);
    struct stat link {};
    const bool dangling = ::lstat(path_.c_str(), &link) == 0 && S_ISLNK(link.st_mode);
    throw FileError(
        path_.string(),
        dangling ? "there is no such file: it is a link that leads nowhere" : "there is no such file",
        "Check the path.");
  };
  // Asked before opening, which can wake a device, and again after it: somebody may have put a pipe there
  // meanwhile, for which O_NONBLOCK does not wait.
  struct stat facts {};
  if (::stat(path_.c_str(), &facts) != 0) fail();
  require_regular(facts);
  descriptor_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor_ < 0) fail();
  try {
    if (::fstat(descriptor_, &facts) != 0) fail();
    require_regular(facts);
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

RegularFile::~RegularFile() { ::close(descriptor_); }

int64_t RegularFile::size() const {
  struct stat facts {};
  return ::fstat(descriptor_, &facts) == 0 ? facts.st_size : 0;
}

int64_t RegularFile::read(int64_t at, std::span<uint8_t> out) const {
  while (true) {
    const ssize_t got = ::pread(descriptor_, out.data(), out.size(), at);
    if (got >= 0 || errno != EINTR) return got;
  }
}

}  // namespace laban
