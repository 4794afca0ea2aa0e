#include "data/video/frame_list.h"

extern "C" {
#include <libavutil/frame.h>
#include <libavutil/imgutils.h>
#include <libavutil/md5.h>
#include <libavutil/pixdesc.h>
}

#include <array>
#include <vector>

#include "core/error.h"

namespace laban {
namespace {

std::string md5_of(const AVFrame& picture, std::vector<uint8_t>& bytes, const std::filesystem::path& file) {
  const auto format = static_cast<AVPixelFormat>(picture.format);
  const int size = av_image_get_buffer_size(format, picture.width, picture.height, 1);
  if (size < 0)
    throw FileError(
        file.string(),
        text("a frame of ", picture.width, "x", picture.height, " pixels has no valid size in memory"),
        "Convert the file, for instance with ffmpeg -i IN -pix_fmt yuv420p OUT.mp4.");
  bytes.resize(static_cast<size_t>(size));
  av_image_copy_to_buffer(bytes.data(), size, picture.data, picture.linesize, format, picture.width,
                          picture.height, 1);
  std::array<uint8_t, 16> digest{};
  av_md5_sum(digest.data(), bytes.data(), bytes.size());
  std::string hex;
  for (const uint8_t byte : digest) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

}  // namespace

ListedFrame describe_frame(const VideoIndex& index, int64_t k) {
  ListedFrame frame{.number = k};
  if (const VideoPacket* packet = index.packet_of(k)) {
    if (packet->pts != kNoTime) frame.pts = packet->pts;
    frame.key = packet->key;
  }
  return frame;
}

void hash_frames(const std::filesystem::path& file, const VideoIndex& index, std::span<const int64_t> wanted,
                 const std::function<void(const ListedFrame&)>& sink, const std::atomic<bool>* cancel) {
  std::vector<uint8_t> bytes;
  read_video_raw(
      file, index, wanted,
      [&](int64_t k, const AVFrame& picture) {
        ListedFrame frame = describe_frame(index, k);
        frame.width = picture.width, frame.height = picture.height;
        if (const char* name = av_get_pix_fmt_name(static_cast<AVPixelFormat>(picture.format)))
          frame.pixel_format = name;
        frame.md5 = md5_of(picture, bytes, file);
        sink(frame);
      },
      cancel);
}

}  // namespace laban
