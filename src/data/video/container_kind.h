// Which kinds of files are opened as videos, and what the others are called.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

struct AVInputFormat;

namespace laban {

/// libav's names of the demuxers that may be used, separated by commas: containers and raw streams of moving
/// pictures, all of one file. None of them opens another file, but MP4's (demuxer.cpp).
const char* video_containers();
bool is_video_container(const AVInputFormat& format);

/// A file that is no such video.
struct OtherFile {
  std::string kind{};         // with its article: "an HLS playlist"; empty where nobody can tell
  std::string_view advice{};  // what to name instead
};

/// `head`: the file's first bytes; `format`: what libav takes it for, or null, and how sure it is
/// (AVPROBE_SCORE_...).
OtherFile other_file(std::span<const uint8_t> head, const AVInputFormat* format, int score);

}  // namespace laban
