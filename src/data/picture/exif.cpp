#include "data/picture/exif.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "data/picture/frame.h"

namespace laban {
namespace {

using Bytes = std::span<const uint8_t>;

bool begins_with(Bytes bytes, std::string_view with) {
  return bytes.size() >= with.size() &&
         std::equal(with.begin(), with.end(), bytes.begin(),
                    [](char c, uint8_t byte) { return static_cast<uint8_t>(c) == byte; });
}

/// Numbers of a TIFF file, in its byte order; 0 beyond its end.
class Tiff {
 public:
  explicit Tiff(Bytes bytes) : bytes_(bytes), little_(begins_with(bytes, "II")) {}

  uint32_t number(size_t at, size_t size) const {
    if (at > bytes_.size() || bytes_.size() - at < size) return 0;
    uint32_t number = 0;
    for (size_t i = 0; i < size; ++i) number = number << 8 | bytes_[at + (little_ ? size - 1 - i : i)];
    return number;
  }

 private:
  Bytes bytes_;
  bool little_;
};

/// The orientation in the first directory of a TIFF file (TIFF 6.0: tag 274, a short).
int orientation_in(Bytes bytes) {
  constexpr uint32_t kMagic = 42, kOrientation = 0x112, kShort = 3;
  constexpr size_t kEntry = 12;
  if (!begins_with(bytes, "II") && !begins_with(bytes, "MM")) return 1;
  const Tiff tiff(bytes);
  if (tiff.number(2, 2) != kMagic) return 1;
  const size_t directory = tiff.number(4, 4), entries = tiff.number(directory, 2);
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + kEntry * i;
    if (tiff.number(entry, 2) != kOrientation) continue;
    const uint32_t value = tiff.number(entry + 2, 2) == kShort ? tiff.number(entry + 8, 2) : 1;
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

int of_jpeg(Bytes file) {
  constexpr std::string_view kExif{"Exif\0\0", 6};
  for (size_t at = 2; at + 4 <= file.size() && file[at] == 0xff;) {
    const uint8_t code = file[at + 1];
    if (code == 0xff) {  // fill
      ++at;
      continue;
    }
    if (code == 0xda) return 1;  // the picture begins
    const size_t length = static_cast<size_t>(file[at + 2] << 8 | file[at + 3]);
    if (length < 2 || length > file.size() - at - 2) return 1;
    const Bytes segment = file.subspan(at + 4, length - 2);
    if (code == 0xe1 && begins_with(segment, kExif)) return orientation_in(segment.subspan(kExif.size()));
    at += 2 + length;
  }
  return 1;
}

int of_png(Bytes file) {
  for (size_t at = 8; at + 12 <= file.size();) {
    const size_t length =
        size_t{file[at]} << 24 | size_t{file[at + 1]} << 16 | size_t{file[at + 2]} << 8 | file[at + 3];
    if (length > file.size() - at - 12) return 1;
    if (begins_with(file.subspan(at + 4), "eXIf")) return orientation_in(file.subspan(at + 8, length));
    at += 12 + length;
  }
  return 1;
}

}  // namespace

int exif_orientation(std::span<const uint8_t> file) {
  if (begins_with(file, "\xff\xd8")) return of_jpeg(file);
  if (begins_with(file, "\x89PNG")) return of_png(file);
  return 1;
}

void orient(Frame& frame, int orientation) {
  struct View {
    int rotation;
    bool mirror;
  };
  // Orientation 6 is a picture whose first row is the right side: it is shown turned clockwise.
  constexpr std::array<View, 8> kViews{
      {{0, false}, {0, true}, {180, false}, {180, true}, {90, true}, {90, false}, {270, true}, {270, false}}};
  const View& view = kViews[static_cast<size_t>(std::clamp(orientation, 1, 8) - 1)];
  frame.rotation = view.rotation, frame.mirror = view.mirror;
}

}  // namespace laban
