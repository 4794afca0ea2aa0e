// A file's bytes, mapped into memory.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

namespace laban {

/// The bytes of a file, and what keeps them there. Copies share them.
struct FileBytes {
  std::filesystem::path path;  // for messages
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};

/// Maps a file for reading: nothing is read before it is looked at, and its pages count as the system's
/// cache, not as this program's memory. Somebody who cuts the file short while it is mapped ends the program;
/// files that are replaced by renaming, as laban and most others do it, are safe. Throws FileError where
/// `path` is missing, no file, or not readable.
FileBytes map_file(std::filesystem::path path);

}  // namespace laban
