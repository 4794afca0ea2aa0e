// The folders that commands write into.
#pragma once

#include <cstdio>
#include <filesystem>
#include <string_view>

#include "core/folder_lock.h"

namespace laban::tools {

/// Says on stderr where a folder could not be locked.
inline void print_note(const FolderLock& lock) {
  if (!lock.note().empty()) std::fprintf(stderr, "note: %s\n", lock.note().c_str());
}

/// Holds the folder against other processes for as long as the result lives. Throws FolderInUse, FileError.
inline FolderLock hold_folder(const std::filesystem::path& folder, std::string_view activity) {
  FolderLock lock(folder, activity);
  print_note(lock);
  return lock;
}

}  // namespace laban::tools
