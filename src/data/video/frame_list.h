// Lists the frames of a video: when each is shown, and a hash of its picture.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "data/video/video.h"

namespace laban {

struct ListedFrame {
  int64_t number = 0;
  std::optional<int64_t> pts{};  // in ticks; none if the file has none
  std::optional<bool> key{};     // none if the decoder did not say which packet it came from
  // With hashes only:
  int width = 0, height = 0;  // as stored
  std::string pixel_format{};
  std::string md5{};
};

/// Describes frame k of an index, without its picture.
ListedFrame describe_frame(const VideoIndex& index, int64_t k);

/// Decodes the frames `wanted` (ascending) and describes each with the MD5 of its pixels: the planes in the
/// decoder's own format, rows without padding, one after the other, which is what `ffmpeg -autorotate 0 -f
/// framemd5` hashes. FileError if a frame cannot be decoded.
void hash_frames(const std::filesystem::path& file, const VideoIndex& index, std::span<const int64_t> wanted,
                 const std::function<void(const ListedFrame&)>& sink,
                 const std::atomic<bool>* cancel = nullptr);

}  // namespace laban
