#include "data/video/mp4_tracks.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
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
  explicit Boxes(const RegularFile& file) : file_(file), end_(static_cast<uint64_t>(file.size())) {}
  Box whole() const { return {0, end_, {}}; }

  /// The box that begins at `at` within `parent`; empty if there is no valid one.
  std::optional<Box> read(uint64_t at, const Box& parent) {
    if (at + 8 > parent.end || ++looked_at_ > kMostBoxes) return std::nullopt;
    std::array<uint8_t, 16> head{};
    const int64_t got = file_.read(static_cast<int64_t>(at), head);
    Box box;
    std::memcpy(box.name.data(), &head[4], 4);
    uint64_t length = big_endian(std::span(head).first(4));
    uint64_t head_bytes = 8;
    if (length == 1) length = big_endian(std::span(head).last(8)), head_bytes = 16;
    if (length == 0) length = parent.end - at;
    if (got < static_cast<int64_t>(head_bytes) || length < head_bytes || length > parent.end - at)
      return std::nullopt;
    box.begin = at + head_bytes, box.end = at + length;
    return box;
  }

  /// The first box of that name in `parent`.
  std::optional<Box> find(std::string_view name, const Box& parent) {
    for (uint64_t at = parent.begin;;) {
      const std::optional<Box> box = read(at, parent);
      if (!box || box->is(name)) return box;
      at = box->end;
    }
  }

  /// At most 8 bytes; zeros past the end of the file.
  uint64_t number(uint64_t at, size_t bytes) {
    std::array<uint8_t, 8> read{};
    const std::span<uint8_t> wanted = std::span(read).first(bytes);
    file_.read(static_cast<int64_t>(at), wanted);
    return big_endian(wanted);
  }
  std::string letters(uint64_t at, size_t bytes) {
    std::string read(bytes, '\0');
    const int64_t got =
        file_.read(static_cast<int64_t>(at), {reinterpret_cast<uint8_t*>(read.data()), bytes});
    read.resize(static_cast<size_t>(std::max<int64_t>(got, 0)));
    return read;
  }

 private:
  // A day of fragments of a second is a quarter of a million.
  static constexpr int64_t kMostBoxes = 1'000'000;

  static uint64_t big_endian(std::span<const uint8_t> bytes) {
    uint64_t value = 0;
    for (const uint8_t byte : bytes) value = value << 8 | byte;
    return value;
  }

  const RegularFile& file_;
  uint64_t end_ = 0;
  int64_t looked_at_ = 0;
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

/// The other file named by an entry of a "dref"; empty if there is none.
std::optional<std::string> other_file(Boxes& boxes, const Box& references) {
  for (uint64_t at = references.begin + 8;;) {  // behind a version, flags and a count
    const std::optional<Box> entry = boxes.read(at, references);
    if (!entry) return std::nullopt;
    const uint64_t place = entry->begin + 4;  // behind the same
    const bool says_own = boxes.number(entry->begin, 4) & 1;
    // libavformat takes a complete alias as referring to another file, whatever the flag says.
    const bool alias = entry->is("alis") && entry->end - entry->begin > 142;
    if (alias || (!says_own && place < entry->end)) {
      // An alias record of the Mac: 50 bytes of the volume, then the file's name behind its length.
      const uint64_t begin = alias ? place + 51 : place;
      const uint64_t most = alias ? std::min<uint64_t>(boxes.number(place + 50, 1), 63) : 200;
      std::string name = boxes.letters(begin, std::min(entry->end - std::min(begin, entry->end), most));
      name.resize(std::min(name.find('\0'), name.size()));
      if (!name.empty() || !entry->is("url ")) return name;
    }
    at = entry->end;
  }
}

}  // namespace

std::optional<std::string> pictures_elsewhere(const RegularFile& file) {
  Boxes boxes(file);
  const std::optional<Box> movie = boxes.find("moov", boxes.whole());
  if (!movie) return std::nullopt;
  for (uint64_t at = movie->begin;;) {
    const std::optional<Box> track = boxes.read(at, *movie);
    if (!track) return std::nullopt;
    at = track->end;
    if (!track->is("trak")) continue;
    const std::optional<Box> media = boxes.find("mdia", *track);
    if (!media) continue;
    const std::optional<Box> handler = boxes.find("hdlr", *media), inside = boxes.find("minf", *media);
    if (!handler || !inside || boxes.letters(handler->begin + 8, 4) != "vide") continue;
    const std::optional<Box> data = boxes.find("dinf", *inside);
    const std::optional<Box> references = data ? boxes.find("dref", *data) : std::nullopt;
    if (!references) continue;
    if (std::optional<std::string> other = other_file(boxes, *references)) return other;
  }
}

bool has_unnumbered_fragments(const RegularFile& file) {
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
