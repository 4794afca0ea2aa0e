// Files that are never half written.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "core/descriptor.h"

namespace laban {

/// Writes to a new file of a random name in `path`'s folder, and commit() makes it `path` in one step:
/// flushed to the disk, renamed, and the folder flushed too, so that after a crash or a power cut `path`
/// holds either the old bytes or all of the new ones. Without commit() the temporary file is removed. Of
/// several processes that write one file the last to commit wins, whole. Every file that laban writes is
/// written this way, but for the one that grows (open_to_append).
///
/// The temporary file is created, never opened: nobody's file is touched and no link is followed. A link at
/// `path` itself is replaced; what it leads to stays. Throws FileError (disk full, no permission, a device or a
/// pipe at `path`, ...).
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
  void create();

  std::filesystem::path path_, temporary_;
  Descriptor file_;
};

/// The same in one call, for small files.
void write_file(const std::filesystem::path& path, std::string_view text);
/// Throws what the two would throw at `path`, for want of the folder or of permission: for the beginning of
/// long work that ends in a file. Leaves a file that is there as it is, and removes what killed processes
/// have left in its folder.
void require_writable(const std::filesystem::path& path);

/// Removes the temporary files in `folder` (not below it) whose process was killed. Those of living
/// processes, on other machines too, stay, and so does everything where the file system has no locks to tell
/// them by.
void remove_abandoned_files(const std::filesystem::path& folder);
/// True for the names of temporary files: .laban-<16 hexadecimal digits>.tmp.
bool is_temporary_name(std::string_view name);

/// Opens a regular file to add to its end, made where there is none; a link there is not followed. Throws
/// FileError.
Descriptor open_to_append(const std::filesystem::path& path);

/// Throws UsageError where something lies at `path` that laban must not replace: a folder, a device, or a
/// file with content of which `is_ours` says false. It is given the first `bytes` bytes. `what` is what would
/// be written there: "a report".
void require_replaceable(const std::filesystem::path& path, std::string_view what,
                         const std::function<bool(std::string_view)>& is_ours, size_t bytes = 4096);

/// All bytes of a file. Throws FileError where it cannot be read.
std::string read_file(const std::filesystem::path& path);

}  // namespace laban
