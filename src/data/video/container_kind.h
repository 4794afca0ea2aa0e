// Which file formats are opened as videos, and names for the others.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

struct AVInputFormat;

namespace laban {

/// libav's names for the demuxers that may be used, separated by commas: containers and raw streams of video,
/// in a single file. None of them opens another file, except MP4's (demuxer.cpp).
const char* video_containers();
bool is_video_container(const AVInputFormat& format);

/// A file that is not such a video.
struct OtherFile {
  std::string kind{};         // with its article: "an HLS playlist"; empty if unknown
  std::string_view advice{};  // what to use instead
};

/// `head`: the file's first bytes; `format`: what libav takes it for, or null, and how sure it is
/// (AVPROBE_SCORE_...).
OtherFile other_file(std::span<const uint8_t> head, const AVInputFormat* format, int score);

}  // namespace laban
