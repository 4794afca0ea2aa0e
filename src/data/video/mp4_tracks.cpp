#include "data/video/mp4_tracks.h"

#include <array>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string_view>

namespace laban {
namespace {

/// ISO/IEC 14496-12, 4.2: a box is its length (32 bits, big-endian; 1: 64 bits follow the name; 0: to the
/// end), its name of four letters, and what it holds.
struct Box {
  uint64_t begin = 0, end = 0;  // of what it holds
  std::array<char, 4> name{};

  bool is(std::string_view letters) const { return std::string_view(name.data(), 4) == letters; }
};

class Boxes {
 public:
  explicit Boxes(const std::filesystem::path& file) : in_(file, std::ios::binary) {
    std::error_code failed;
    end_ = std::filesystem::file_size(file, failed);
    if (failed) end_ = 0;
  }
  Box whole() const { return {0, end_, {}}; }

  /// The box that begins at `at` within `parent`; empty if there is no valid one.
  std::optional<Box> read(uint64_t at, const Box& parent) {
    if (at + 8 > parent.end) return std::nullopt;
    Box box;
    uint64_t length = number(at, 4);
    uint64_t head = 8;
    in_.read(box.name.data(), 4);
    if (length == 1) length = number(at + 8, 8), head = 16;
    if (length == 0) length = parent.end - at;
    if (!in_ || length < head || length > parent.end - at) return std::nullopt;
    box.begin = at + head, box.end = at + length;
    return box;
  }

  uint64_t number(uint64_t at, int bytes) {
    std::array<unsigned char, 8> read{};
    in_.seekg(static_cast<std::streamoff>(at));
    in_.read(reinterpret_cast<char*>(read.data()), bytes);
    uint64_t value = 0;
    for (size_t i = 0; i < static_cast<size_t>(bytes); ++i) value = value << 8 | read[i];
    return value;
  }

 private:
  std::ifstream in_;
  uint64_t end_ = 0;
};

/// Whether libavformat accepts the track's ID, which it stores as an int.
bool is_numbered(Boxes& boxes, const Box& track) {
  for (uint64_t at = track.begin;;) {
    const std::optional<Box> box = boxes.read(at, track);
    if (!box) return false;
    if (box->is("tkhd")) {
      // A version and flags; two times, of 32 bits each or, in version 1, of 64.
      const bool wide = boxes.number(box->begin, 1) == 1;
      return boxes.number(box->begin + (wide ? 20 : 12), 4) <= INT32_MAX;
    }
    at = box->end;
  }
}

bool all_numbered(Boxes& boxes, const Box& movie) {
  for (uint64_t at = movie.begin;;) {
    const std::optional<Box> box = boxes.read(at, movie);
    if (!box) return true;
    if (box->is("trak") && !is_numbered(boxes, *box)) return false;
    at = box->end;
  }
}

}  // namespace

bool has_unnumbered_fragments(const std::filesystem::path& file) {
  Boxes boxes(file);
  const Box whole = boxes.whole();
  bool unnumbered = false;
  for (uint64_t at = 0;;) {
    const std::optional<Box> box = boxes.read(at, whole);
    if (!box) return false;
    if (box->is("moov")) {
      if (all_numbered(boxes, *box)) return false;
      unnumbered = true;
    }
    if (box->is("moof") && unnumbered) return true;
    at = box->end;
  }
}

}  // namespace laban
