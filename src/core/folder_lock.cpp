#include "core/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <system_error>
#include <thread>

#include "core/files.h"

namespace laban {
namespace fs = std::filesystem;
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::string_view kBegin = "laban lock: ";
// A process that was just killed holds its locks until its memory is freed.
constexpr std::chrono::milliseconds kPatience{1000}, kPause{20};

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "an unknown host";
  return name.data();
}

std::string local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  std::array<char, 32> buffer{};
  ::localtime_r(&now, &parts);
  const size_t length = std::strftime(buffer.data(), buffer.size(), "%Y-%m-%d %H:%M:%S", &parts);
  return {buffer.data(), length};
}

/// Takes the lock, or waits for it a moment. 0, or the errno.
int take(int file, int kind) {
  for (const auto end = Clock::now() + kPatience;; std::this_thread::sleep_for(kPause)) {
    if (::flock(file, kind | LOCK_NB) == 0) return 0;
    if (errno != EINTR && (errno != EWOULDBLOCK || Clock::now() > end)) return errno;
  }
}

}  // namespace

FolderLock::FolderLock(fs::path folder, std::string_view activity) : folder_(std::move(folder)) {
  if (folder_.empty()) folder_ = ".";
  std::error_code code;
  made_folder_ = fs::create_directories(folder_, code);
  if (code || !fs::is_directory(folder_, code))
    throw FileError(folder_.string(),
                    text("the folder cannot be made: ", code ? code.message() : "a file is in the way"),
                    "Choose another folder.");
  Attempt result = attempt();
  while (result == Attempt::gone) {  // its holder removed the file while we waited for it
    fs::create_directories(folder_, code);
    result = attempt();
  }
  if (result == Attempt::held)
    throw FolderInUse(text(visible(folder_.string()), " is in use by ", holder()),
                      "Wait until it ends, or stop it, or name another folder.");
  if (result == Attempt::locked) {
    write_holder(activity);
    remove_abandoned_files(folder_);
  }
}

FolderLock::Attempt FolderLock::attempt() {
  const fs::path path = folder_ / kLockFile;
  const auto impossible = [&](const std::string& why) {
    note_ = text(visible(folder_.string()), " cannot be locked (", why,
                 "): take care that no other process writes into it");
    file_.close();
    return Attempt::impossible;
  };
  constexpr int kFlags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  file_ = Descriptor(::open(path.c_str(), O_RDWR | O_CREAT | kFlags, 0666));
  const int reason = errno;
  // Another user's, perhaps: it can be locked, if not written to.
  if (!file_.open()) file_ = Descriptor(::open(path.c_str(), O_RDONLY | kFlags));
  if (!file_.open()) return impossible(std::generic_category().message(reason));
  struct stat opened {
  }, named{};
  if (::fstat(file_.get(), &opened) != 0 || !S_ISREG(opened.st_mode))
    return impossible(text(kLockFile, " is not a file"));
  const int failed = take(file_.get(), LOCK_EX);
  if (failed == EWOULDBLOCK) return Attempt::held;
  if (failed != 0) return impossible(std::generic_category().message(failed));
  const bool same =
      ::lstat(path.c_str(), &named) == 0 && named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
  return same ? Attempt::locked : Attempt::gone;
}

void FolderLock::write_holder(std::string_view activity) {
  std::array<char, 64> begin{};
  const ssize_t length = ::pread(file_.get(), begin.data(), begin.size(), 0);
  ours_ = length == 0 || (length > 0 && std::string_view(begin.data(), static_cast<size_t>(length))
                                            .starts_with(kBegin.substr(0, static_cast<size_t>(length))));
  if (!ours_) return;
  const std::string holder = text(kBegin, "process ", ::getpid(), " on ", host_name(), " (", activity,
                                  ") since ", local_time(), "\n");
  // A lock whose holder cannot be named is still a lock.
  if (::ftruncate(file_.get(), 0) == 0) [[maybe_unused]]
    const auto written = ::pwrite(file_.get(), holder.data(), holder.size(), 0);
}

/// Who holds the lock that could not be had.
std::string FolderLock::holder() const {
  std::array<char, 512> buffer{};
  const ssize_t length = ::pread(file_.get(), buffer.data(), buffer.size(), 0);
  std::string line(buffer.data(), length > 0 ? static_cast<size_t>(length) : 0);
  line.resize(std::min(line.find('\n'), line.size()));
  return line.starts_with(kBegin) ? visible(line.substr(kBegin.size())) : "another process";
}

FolderLock::~FolderLock() {
  if (!file_.open()) return;
  // While the lock is still held: whoever waits for it sees then that it is gone.
  if (ours_) ::unlink((folder_ / kLockFile).c_str());
  if (made_folder_) ::rmdir(folder_.c_str());  // fails where anything is in it
}

bool holds_nothing(const fs::path& folder) {
  std::error_code failed;
  for (fs::directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed)) {
    const std::string name = at->path().filename().string();
    if (name != FolderLock::kLockFile && !is_temporary_name(name)) return false;
  }
  return true;
}

FolderUse::FolderUse(const fs::path& folder, Kind kind)
    : folder_(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (!folder_.open()) return;
  if (take(folder_.get(), kind == Kind::read ? LOCK_SH : LOCK_EX) != EWOULDBLOCK) return;
  throw FolderInUse(text(visible(folder.string()),
                         kind == Kind::read ? " is being replaced by another process"
                                            : " is being read by another process, an evaluation perhaps"),
                    "Try again when that has ended.");
}

}  // namespace laban
