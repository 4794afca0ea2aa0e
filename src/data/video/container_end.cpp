#include "data/video/container_end.h"

#include <array>
#include <cstdint>
#include <string_view>

#include "core/error.h"
#include "core/regular_file.h"

namespace laban {
namespace {

class Heads {
 public:
  explicit Heads(const std::filesystem::path& file) : in_(file), end_(static_cast<uint64_t>(in_.size())) {}
  uint64_t end() const { return end_; }

  /// Reads the 16 bytes at `at`, zero-filled past the end; false if there are fewer than `least`.
  bool read(uint64_t at, size_t least) {
    if (at > end_ || end_ - at < least) return false;
    bytes_ = {};
    return in_.read(static_cast<int64_t>(at), bytes_) >= static_cast<int64_t>(least);
  }
  std::string_view letters(size_t at) const { return {reinterpret_cast<const char*>(bytes_.data()) + at, 4}; }
  uint64_t big_endian(size_t at, size_t count) const {
    uint64_t value = 0;
    for (size_t i = 0; i < count; ++i) value = value << 8 | bytes_[at + i];
    return value;
  }
  uint64_t little_endian(size_t at, size_t count) const {
    uint64_t value = 0;
    for (size_t i = count; i-- > 0;) value = value << 8 | bytes_[at + i];
    return value;
  }
  std::string lacking(std::string_view name, uint64_t length, uint64_t at) const {
    return text("its part \"", name, "\" lacks ", length - (end_ - at), " of ", length, " bytes");
  }

 private:
  RegularFile in_;
  uint64_t end_;
  std::array<uint8_t, 16> bytes_{};
};

/// ISO/IEC 14496-12, 4.2: a length (32 bits, big-endian; 1: 64 bits follow; 0: to the end of the file), four
/// letters, and what they name.
std::string mp4_part_beyond_end(Heads& heads) {
  for (uint64_t at = 0; heads.read(at, 8);) {
    const std::string name(heads.letters(4));
    uint64_t length = heads.big_endian(0, 4);
    if (length == 1) length = heads.big_endian(8, 8);
    if (length < 8) break;
    if (length > heads.end() - at)
      return name == "mdat" || name == "moof" ? heads.lacking(name, length, at) : "";
    at += length;
  }
  return "";
}

/// A RIFF file is one chunk, or several in OpenDML: "RIFF", the length of the data (32 bits, little-endian),
/// and the data, padded to an even length. While it is being written, the length is 0 or all ones; it stays
/// that way if the writer cannot seek back.
std::string avi_part_beyond_end(Heads& heads) {
  for (uint64_t at = 0; heads.read(at, 12) && heads.letters(0) == "RIFF";) {
    const uint64_t length = heads.little_endian(4, 4);
    if (length == 0 || length == 0xffffffff) break;
    if (length + 8 > heads.end() - at) return heads.lacking("RIFF", length + 8, at);
    at += 8 + length + length % 2;
  }
  return "";
}

}  // namespace

std::string part_beyond_end(const std::filesystem::path& file, const std::string& container) {
  Heads heads(file);
  if (container.find("mp4") != std::string::npos) return mp4_part_beyond_end(heads);
  if (container == "avi") return avi_part_beyond_end(heads);
  return "";
}

}  // namespace laban
