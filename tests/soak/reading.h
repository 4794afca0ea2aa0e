// One damaged clip, used as training uses clips.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace laban::soak {

struct Clip {
  std::filesystem::path file;
  std::vector<unsigned char> bytes;
};

/// The clips to damage: the files of `folder`, or, where it is empty or holds none, clips made on the spot in
/// `scratch`. Files larger than `largest` bytes are left out.
std::vector<Clip> find_clips(const std::filesystem::path& folder, uint64_t largest,
                             const std::filesystem::path& scratch);

struct Damaged {
  std::string name{};  // of the clip, and what was done to it
  std::string extension{};
  std::vector<unsigned char> bytes{};
};
/// A pure function of (clips, seed, number).
Damaged damaged_file(const std::vector<Clip>& clips, uint64_t seed, int64_t number);

/// Indexes the file, draws a clip's frames, decodes them; every fourth is looked through as `laban check`
/// does. True where it could be read, false where it was refused with a FileError. Whatever else is thrown is
/// a defect.
bool use(const std::filesystem::path& file, int64_t number);

}  // namespace laban::soak
