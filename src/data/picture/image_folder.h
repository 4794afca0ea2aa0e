// A clip as a folder of pictures: JPEG, PNG or BMP, one per frame.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "data/dataset/filename_pattern.h"
#include "data/picture/frame.h"
#include "data/picture/picture_reader.h"

namespace laban {

/// "clip.JPG" -> ".jpg"
std::string lower_extension(const std::filesystem::path& path);
/// Whether the extension is that of a picture.
bool is_picture_name(const std::filesystem::path& path);

/// A folder of pictures of which nothing tells which are the clip.
class SeveralSeries : public FileError {
 public:
  using FileError::FileError;
};

struct FolderIndex {
  std::filesystem::path folder{};
  std::vector<std::string> names{};       // frame k's file; empty if `rule` gives it
  std::optional<FilenamePattern> rule{};  // frame k is rule.name(first_number + k)
  int64_t first_number = 0, count = 0;
  int width = 0, height = 0;  // of the first, as stored
  int rotation = 0;           // of the first: Frame
  bool mirror = false;
  std::string gap{};  // "12.jpg is followed by 15.jpg" if numbers are missing; else empty
  std::string
      chosen{};  // what else is in the folder, and was not taken: "img_%05d.jpg (240 pictures) is taken, ..."

  int64_t frame_count() const { return count; }
  std::filesystem::path picture(int64_t k) const;
  /// The number in the picture's name; k if it has none.
  int64_t picture_number(int64_t k) const;
  int shown_width() const { return rotation % 180 ? height : width; }
  int shown_height() const { return rotation % 180 ? width : height; }
};

/// The folder's pictures in the order of the numbers in their names (2 before 10; equal numbers by name).
/// `named` (a FilenamePattern) and `range` select among them. If `named` is empty, it is the folder's only numbered
/// series; of several, the one that is called img, image, frame or rgb if the others are called flow, depth and the
/// like. FileError if there is no picture, if nothing tells which of several series is meant, if a picture in the range
/// is missing, or if the first does not decode.
FolderIndex index_folder(const std::filesystem::path& folder, const std::string& named = "",
                         const std::optional<FrameRange>& range = {});

/// The same without opening the first picture: width and height are 0.
FolderIndex list_frames(const std::filesystem::path& folder, const std::string& named = "",
                        const std::optional<FrameRange>& range = {});

/// Calls sink(k, frame) for every distinct k in `wanted`, ascending. FileError that names the picture if one
/// fails or has a different size.
void read_folder(const FolderIndex& index, std::span<const int64_t> wanted, PictureReader& reader,
                 const std::function<void(int64_t, const Frame&)>& sink);

}  // namespace laban
