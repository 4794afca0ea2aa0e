// Who may write into a folder: one process at a time.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/descriptor.h"
#include "core/error.h"

namespace laban {

/// Another process holds the folder.
class FolderInUse : public Error {
 public:
  using Error::Error;
};

/// Holds a folder for as long as it lives, against every other FolderLock on it, of this and of other
/// processes: a lock (flock) on the file kLockFile in it, which says who holds it. The system releases it
/// however the process ends, kill -9 included; the file is then taken over by the next.
class FolderLock {
 public:
  static constexpr const char* kLockFile = ".laban-lock";

  /// Makes the folder where there is none, and removes the temporary files that killed processes have left in
  /// it. `activity` is what others are told: "laban train". Throws FolderInUse, saying who, where another
  /// holds it; FileError where the folder cannot be made.
  FolderLock(std::filesystem::path folder, std::string_view activity);
  /// Removes the lock file, and the folder where it was made for the lock and is still empty.
  ~FolderLock();
  FolderLock(FolderLock&& other) noexcept = default;
  FolderLock& operator=(FolderLock&&) = delete;

  /// Why the folder could not be locked (a file system without locks, a folder that may not be written to),
  /// as a sentence; empty where it is.
  const std::string& note() const { return note_; }

 private:
  enum class Attempt { locked, held, gone, impossible };
  Attempt attempt();
  void write_holder(std::string_view activity);
  std::string holder() const;

  std::filesystem::path folder_;
  Descriptor file_;
  bool made_folder_ = false;
  bool ours_ = false;  // the lock file is one that laban wrote
  std::string note_;
};

/// True where the folder does not exist or holds nothing but the marks of a FolderLock and temporary files.
bool holds_nothing(const std::filesystem::path& folder);

/// Keeps the results in a folder from being replaced by others while they are read, or the other way round.
/// Independent of FolderLock: a run may be evaluated while it goes on, but not while --overwrite replaces it.
class FolderUse {
 public:
  enum class Kind { read, replace };
  /// Many may read, or one replace. Waits a moment for others; then throws FolderInUse. Where there are no
  /// locks, or no folder, nothing is kept from anybody.
  FolderUse(const std::filesystem::path& folder, Kind kind);

 private:
  Descriptor folder_;
};

}  // namespace laban
