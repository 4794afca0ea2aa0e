// A clip as a folder of pictures: JPEG, PNG or BMP, one a frame.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/dataset/filename_pattern.h"
#include "data/picture/frame.h"
#include "data/picture/picture_reader.h"

namespace laban {

/// "clip.JPG" -> ".jpg"
std::string lower_extension(const std::filesystem::path& path);
/// Is it a picture that can be a frame, by its extension?
bool is_picture_name(const std::filesystem::path& path);

struct FolderIndex {
  std::filesystem::path folder{};
  std::vector<std::string> names{};       // frame k's file; empty where `rule` tells it
  std::optional<FilenamePattern> rule{};  // frame k is called rule.name(first_number + k)
  int64_t first_number = 0, count = 0;
  int width = 0, height = 0;  // of the first
  std::string gap{};          // "after 12.jpg comes 15.jpg" where numbers between are missing; else empty

  int64_t frame_count() const { return count; }
  std::filesystem::path picture(int64_t k) const;
};

/// The folder's pictures in the order of the numbers in their names (2 before 10; equal numbers by name).
/// `named` (a pattern as FilenamePattern reads it; empty: any name) and `range` choose among them. FileError where
/// there is none, where one of the range is missing, or where the first does not decode.
FolderIndex index_folder(const std::filesystem::path& folder, const std::string& named = "",
                         const std::optional<FrameRange>& range = {});

/// The same without a look into the first picture: width and height are 0.
FolderIndex list_frames(const std::filesystem::path& folder, const std::string& named = "",
                        const std::optional<FrameRange>& range = {});

/// Calls sink(k, frame) for every different k in `wanted`, ascending. FileError naming the picture that
/// fails, or that has another size.
void read_folder(const FolderIndex& index, std::span<const int64_t> wanted, PictureReader& reader,
                 const std::function<void(int64_t, const Frame&)>& sink);

}  // namespace laban
