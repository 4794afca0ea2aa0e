#include "core/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <random>
#include <system_error>

#include "core/machine_error.h"
#include "core/regular_file.h"

namespace laban {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kTemporaryBegin = ".laban-", kTemporaryEnd = ".tmp", kDigits = "0123456789abcdef";
constexpr size_t kRandomDigits = 16;

fs::path folder_of(const fs::path& file) {
  return file.has_parent_path() ? file.parent_path() : fs::path(".");
}

std::string temporary_name() {
  std::random_device random;
  std::string name(kTemporaryBegin);
  for (size_t i = 0; i < kRandomDigits; ++i) name += kDigits[random() % kDigits.size()];
  return name += kTemporaryEnd;
}

/// Makes a rename durable: the folder's own entry has to reach the disk as well.
void flush_folder(const fs::path& folder) {
  const Descriptor file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // A folder that may be written but not read: the rename has happened all the same.
  if (file.open()) ::fsync(file.get());
}

/// What is at `path` and not to be replaced by a file, in words; empty where nothing is in the way.
std::string obstacle(const fs::path& path) {
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  if (fs::is_directory(status)) return "is a folder, not a file";
  if (fs::is_block_file(status) || fs::is_character_file(status) || fs::is_fifo(status) ||
      fs::is_socket(status))
    return "is a device or a pipe, not a file";
  // /dev/stdout and its like: a link that every program shares, never to be replaced.
  if (fs::is_symlink(fs::symlink_status(path, code)) &&
      fs::read_symlink(path, code).native().starts_with("/proc/"))
    return "is a link to an open file of a process, not a file";
  return "";
}

/// True where `file` is still what `path` names.
bool is_at(int file, const fs::path& path) {
  struct stat opened {
  }, named{};
  return ::fstat(file, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

}  // namespace

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)) {
  if (const std::string reason = obstacle(path_); !reason.empty())
    throw FileError(path_.string(), reason, "Name a file.");
  create();
}

/// The file is locked from its first moment to its last, by which remove_abandoned_files() knows whose it is.
void AtomicFile::create() {
  constexpr int kAttempts = 100;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    temporary_ = folder_of(path_) / temporary_name();
    file_ =
        Descriptor(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
    if (!file_.open() && errno == EEXIST) continue;
    if (!file_.open()) fail("cannot be created");
    const bool taken = ::flock(file_.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (!taken && is_at(file_.get(), temporary_)) return;
    // Somebody who cleans up was quicker than the lock, and is about to remove it.
    ::unlink(temporary_.c_str());
    file_.close();
  }
  errno = EAGAIN;
  fail("cannot be created");
}

AtomicFile::~AtomicFile() {
  if (file_.open()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, size_t bytes) {
  const auto* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(file_.get(), next, bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("cannot be written");
    next += written;
    bytes -= static_cast<size_t>(written);
  }
}

void AtomicFile::commit() {
  require(file_.open(), "AtomicFile::commit: called twice");
  if (::fsync(file_.get()) != 0) fail("cannot be flushed to the disk");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("cannot be put in place");
  file_.close();
  flush_folder(folder_of(path_));
}

void AtomicFile::fail(const char* doing) const {
  const int reason = errno;
  throw FileError(path_.string(), text(doing, ": ", std::generic_category().message(reason)),
                  reason == ENOSPC || reason == EDQUOT
                      ? "Free some space on that disk, or choose another folder."
                  : reason == EFBIG ? "Raise the limit on the size of files (ulimit -f)."
                                    : "Check that the folder exists and may be written to.");
}

void write_file(const fs::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

void require_writable(const fs::path& path) {
  AtomicFile{path};  // not committed: gone again
  remove_abandoned_files(folder_of(path));
}

bool is_temporary_name(std::string_view name) {
  if (name.size() != kTemporaryBegin.size() + kRandomDigits + kTemporaryEnd.size()) return false;
  return name.starts_with(kTemporaryBegin) && name.ends_with(kTemporaryEnd) &&
         name.substr(kTemporaryBegin.size(), kRandomDigits).find_first_not_of(kDigits) ==
             std::string_view::npos;
}

void remove_abandoned_files(const fs::path& folder) {
  std::error_code failed;
  for (fs::directory_iterator at(folder.empty() ? fs::path(".") : folder, failed), end; !failed && at != end;
       at.increment(failed)) {
    const fs::path& path = at->path();
    if (!is_temporary_name(path.filename().native())) continue;
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat facts {};
    if (!file.open() || ::fstat(file.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) continue;
    // Its writer holds the lock until the file has its final name, or dies.
    if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) ::unlink(path.c_str());
  }
}

Descriptor open_to_append(const fs::path& path) {
  Descriptor file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666));
  const int reason = errno;
  struct stat facts {};
  if (file.open() && ::fstat(file.get(), &facts) == 0 && S_ISREG(facts.st_mode)) return file;
  throw FileError(path.string(),
                  !file.open() && reason != ELOOP && reason != ENXIO
                      ? text("cannot be opened: ", std::generic_category().message(reason))
                      : "is a link, a device or a pipe, not a file",
                  "Check that it is a file and that its folder may be written to.");
}

void require_replaceable(const fs::path& path, std::string_view what,
                         const std::function<bool(std::string_view)>& is_ours, size_t bytes) {
  std::error_code code;
  if (!fs::exists(path, code)) return;
  std::string reason = obstacle(path);
  if (reason.empty()) {
    std::string begin(bytes, '\0');
    std::ifstream in(path, std::ios::binary);
    if (in.is_open()) in.read(begin.data(), static_cast<std::streamsize>(bytes));
    begin.resize(static_cast<size_t>(in.gcount()));
    if (in.is_open() && !in.bad() && (begin.empty() || is_ours(begin))) return;
    reason = text("is there already, and is not ", what, " that laban wrote");
  }
  throw UsageError(text(visible(path.string()), ": ", reason),
                   "It stays as it is: name another file, or move it away.");
}

std::string read_file(const fs::path& path) {
  std::error_code code;
  if (!fs::exists(path, code) && !code) throw FileError(path.string(), "does not exist");
  if (fs::is_directory(path, code)) throw FileError(path.string(), "is a folder, not a file");
  const RegularFile file(path);
  std::string bytes;
  bytes.reserve(static_cast<size_t>(file.size()));  // 0 for files of /proc, which have content all the same
  std::array<uint8_t, 65536> piece;
  while (true) {
    const int64_t got = file.read(static_cast<int64_t>(bytes.size()), piece);
    if (got < 0) throw_file_fault(path, "cannot be read", errno, "Check its permissions.");
    if (got == 0) return bytes;
    bytes.append(reinterpret_cast<const char*>(piece.data()), static_cast<size_t>(got));
  }
}

}  // namespace laban
