#include "data/video/container_kind.h"

extern "C" {
#include <libavformat/avformat.h>
#include <libavutil/avstring.h>
}

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

namespace laban {
namespace {

// A demuxer has one or more names, "mov,mp4,m4a,3gp,3g2,mj2"; one of them is listed here. Some are not in
// every version of libav. The second row contains raw streams.
constexpr const char* kContainers =
    "mov,matroska,avi,mpegts,mpeg,asf,flv,ogg,gif,ivf,yuv4mpegpipe,mxf,dv,nut,rm,"
    "h264,hevc,vvc,obu,av1,vc1,m4v,h263,mpegvideo,mjpeg";

// What to do instead.
constexpr std::string_view kNameVideo = "Give the video itself: laban only opens the given file.",
                           kNameFolder = "Give the folder that contains it: numbered pictures form a clip.",
                           kNameOther = "Give a file that contains video.";

struct Known {
  std::string_view part, kind, advice;
};

/// By the beginning of the file, without whitespace.
constexpr std::array<Known, 17> kBeginnings{{
    {"ffconcat version", "an ffconcat script", kNameVideo},
    {"[playlist]", "a PLS playlist", kNameVideo},
    {"[Reference]", "a Windows Media playlist", kNameVideo},
    {"RTSPtext", "a reference to a network stream", kNameVideo},
    {"<asx", "an ASX playlist", kNameVideo},
    {"<smil", "a SMIL playlist", kNameVideo},
    {"<MPD", "a DASH manifest", kNameVideo},
    {"<html", "a web page", kNameOther},
    {"<!doctype html", "a web page", kNameOther},
    {"WEBVTT", "a subtitle file (WebVTT)", kNameOther},
    {"[Script Info]", "a subtitle file (ASS)", kNameOther},
    {"\x89PNG", "a picture (PNG)", kNameFolder},
    {"\xff\xd8\xff", "a picture (JPEG)", kNameFolder},
    {"PK\x03\x04", "a ZIP archive", kNameOther},
    {"\x1f\x8b", "a gzip archive", kNameOther},
    {"%PDF-", "a PDF document", kNameOther},
    {"Rar!\x1a", "a RAR archive", kNameOther},
}};

/// By strings near the beginning of an XML file.
constexpr std::array<Known, 5> kXml{{
    {"<MPD", "a DASH manifest", kNameVideo},
    {"<CompositionPlaylist", "an IMF composition playlist", kNameVideo},
    {"<smil", "a SMIL playlist", kNameVideo},
    {"<svg", "a picture (SVG)", kNameOther},
    {"<html", "a web page", kNameOther},
}};

/// By libav's name for the demuxer.
constexpr std::array<Known, 11> kDemuxers{{
    {"hls", "an HLS playlist", kNameVideo},
    {"dash", "a DASH manifest", kNameVideo},
    {"webm_dash_manifest", "a DASH manifest", kNameVideo},
    {"concat", "an ffconcat script", kNameVideo},
    {"imf", "an IMF composition playlist", kNameVideo},
    {"sdp", "an SDP session description", kNameVideo},
    {"rtsp", "a reference to a network stream", kNameVideo},
    {"tty", "a text file", kNameOther},
    {"image2", "a picture", kNameFolder},
    {"ico", "a picture (ICO)", kNameOther},
    {"apng", "a picture (animated PNG)", kNameOther},
}};

OtherFile of(const Known& known) { return {std::string(known.kind), known.advice}; }

bool begins_with(std::string_view head, std::string_view letters) {
  return head.size() >= letters.size() &&
         std::equal(letters.begin(), letters.end(), head.begin(),
                    [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
}

/// Whole lines of letters: no byte that only a terminal or a program would write.
bool is_text(std::string_view head) {
  return !head.empty() && std::ranges::all_of(head, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7f) || (byte >= '\t' && byte <= '\r') || byte == 0x1b;
  });
}

OtherFile by_content(std::string_view head) {
  if (head.starts_with("\xef\xbb\xbf")) head.remove_prefix(3);
  head.remove_prefix(std::min(head.find_first_not_of(" \t\r\n"), head.size()));
  if (begins_with(head, "#EXTM3U"))
    return {head.find("#EXT-X-") != std::string_view::npos ? "an HLS playlist" : "an M3U playlist",
            kNameVideo};
  if (head.starts_with("v=0") && head.find("\nm=") != std::string_view::npos)
    return {"an SDP session description", kNameVideo};
  if (head.starts_with("RIFF") && head.size() > 12) {
    if (head.substr(8, 4) == "WEBP") return {"a picture (WebP)", kNameOther};
    if (head.substr(8, 4) == "WAVE") return {"a sound file (WAV)", kNameOther};
  }
  for (const Known& beginning : kBeginnings)
    if (begins_with(head, beginning.part)) return of(beginning);
  if (!begins_with(head, "<?xml")) return {};
  for (const Known& mentioned : kXml)
    if (head.find(mentioned.part) != std::string_view::npos) return of(mentioned);
  return {"an XML file", kNameOther};
}

std::string upper(std::string_view name) {
  std::string result(name);
  std::ranges::transform(result, result.begin(),
                         [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return result;
}

OtherFile by_demuxer(const AVInputFormat& format) {
  const std::string_view name = format.name, described = format.long_name ? format.long_name : format.name;
  for (const Known& known : kDemuxers)
    if (name == known.part) return of(known);
  constexpr std::string_view kPicture = "_pipe";
  if (name.ends_with(kPicture))
    return {"a picture (" + upper(name.substr(0, name.size() - kPicture.size())) + ")", kNameFolder};
  if (described.find("ubtitle") != std::string_view::npos)
    return {"a subtitle file (" + upper(name) + ")", kNameOther};
  // A sound file has no pictures except covers.
  const AVOutputFormat* writer = av_guess_format(format.name, nullptr, nullptr);
  if (writer && writer->audio_codec != AV_CODEC_ID_NONE &&
      (writer->video_codec == AV_CODEC_ID_NONE || writer->video_codec == AV_CODEC_ID_PNG))
    return {"a sound file (" + upper(name) + ")", kNameOther};
  return {"a file in the format that libav calls " + std::string(described), kNameOther};
}

}  // namespace

const char* video_containers() { return kContainers; }

bool is_video_container(const AVInputFormat& format) {
  return av_match_list(format.name, kContainers, ',') > 0;
}

OtherFile other_file(std::span<const uint8_t> head, const AVInputFormat* format, int score) {
  const std::string_view letters(reinterpret_cast<const char*>(head.data()), head.size());
  if (OtherFile known = by_content(letters); !known.kind.empty()) return known;
  if (format && score > AVPROBE_SCORE_RETRY) return by_demuxer(*format);
  return is_text(letters) ? OtherFile{"a text file", kNameOther} : OtherFile{};
}

}  // namespace laban
