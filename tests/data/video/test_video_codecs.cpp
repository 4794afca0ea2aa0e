// Videos from every encoder that libav has, against a plain decoding of the whole file, and against what was
// painted into them.
#include <doctest/doctest.h>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/imgutils.h>
#include <libavutil/md5.h>
}

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <numeric>

#include "core/error.h"
#include "core/rng.h"
#include "data/clip/clip_writer.h"
#include "data/made_clips.h"
#include "data/video/frame_list.h"
#include "data/video/video.h"

using namespace laban;
namespace fs = std::filesystem;

namespace {

struct Free {
  void operator()(AVFormatContext* p) const { avformat_close_input(&p); }
  void operator()(AVCodecContext* p) const { avcodec_free_context(&p); }
  void operator()(AVFrame* p) const { av_frame_free(&p); }
  void operator()(AVPacket* p) const { av_packet_free(&p); }
};

std::string md5_of(const AVFrame& frame) {
  const auto format = static_cast<AVPixelFormat>(frame.format);
  std::vector<uint8_t> bytes(
      static_cast<size_t>(av_image_get_buffer_size(format, frame.width, frame.height, 1)));
  av_image_copy_to_buffer(bytes.data(), static_cast<int>(bytes.size()), frame.data, frame.linesize, format,
                          frame.width, frame.height, 1);
  uint8_t digest[16];
  av_md5_sum(digest, bytes.data(), bytes.size());
  std::string hex;
  for (const uint8_t byte : digest)
    hex += "0123456789abcdef"[byte >> 4], hex += "0123456789abcdef"[byte & 15];
  return hex;
}

/// Every frame that libav's own loop gives: packets in, pictures out, times as they are. `keep`: every
/// picture in memory of its own.
std::vector<std::string> plainly_decoded(const fs::path& file, bool keep = false) {
  AVFormatContext* raw = nullptr;
  REQUIRE(avformat_open_input(&raw, file.c_str(), nullptr, nullptr) == 0);
  const std::unique_ptr<AVFormatContext, Free> input(raw);
  REQUIRE(avformat_find_stream_info(raw, nullptr) >= 0);
  const AVCodec* codec = avcodec_find_decoder(raw->streams[0]->codecpar->codec_id);
  const std::unique_ptr<AVCodecContext, Free> context(avcodec_alloc_context3(codec));
  avcodec_parameters_to_context(context.get(), raw->streams[0]->codecpar);
  context->thread_count = 1;
  REQUIRE(avcodec_open2(context.get(), codec, nullptr) == 0);
  const std::unique_ptr<AVFrame, Free> frame(av_frame_alloc());
  const std::unique_ptr<AVPacket, Free> packet(av_packet_alloc());
  std::vector<std::string> hashes;
  std::vector<std::unique_ptr<AVFrame, Free>> kept;
  const auto receive = [&] {
    while (avcodec_receive_frame(context.get(), frame.get()) >= 0) {
      hashes.push_back(md5_of(*frame));
      if (keep) kept.emplace_back(av_frame_clone(frame.get()));
    }
  };
  while (av_read_frame(raw, packet.get()) >= 0) {
    avcodec_send_packet(context.get(), packet.get());
    av_packet_unref(packet.get());
    receive();
  }
  avcodec_send_packet(context.get(), nullptr);
  receive();
  return hashes;
}

/// What the ffmpeg program says; empty where it is not installed.
std::vector<std::string> by_the_program(const fs::path& file) {
  const std::string command = "ffmpeg -v quiet -threads 1 -autorotate 0 -i '" + file.string() +
                              "' -map 0:v:0 -fps_mode passthrough -autoscale 0 -f framemd5 - 2>/dev/null";
  std::vector<std::string> hashes;
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  char line[512];
  while (std::fgets(line, sizeof line, pipe)) {
    std::string text = line;
    while (!text.empty() && text.back() == '\n') text.pop_back();
    if (!text.empty() && text[0] != '#') hashes.push_back(text.substr(text.rfind(' ') + 1));
  }
  pclose(pipe);
  return hashes;
}

std::map<int64_t, std::string> hashes_of(const fs::path& file, const VideoIndex& index,
                                         const std::vector<int64_t>& wanted) {
  std::map<int64_t, std::string> got;
  hash_frames(file, index, wanted,
              [&](const ListedFrame& frame) { CHECK(got.emplace(frame.number, frame.md5).second); });
  return got;
}

std::vector<int64_t> all_of(const VideoIndex& index) {
  std::vector<int64_t> all(static_cast<size_t>(index.frame_count()));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

/// Mean difference, in gray levels, between the left half of the frames as they are shown and what was
/// painted.
double painted_difference(const fs::path& file, const VideoIndex& index, const test::MadeVideo& how) {
  const TransformSettings bytes{.mean = {0, 0, 0}, .std = {1 / 255.0f, 1 / 255.0f, 1 / 255.0f}};
  const ClipGeometry whole{.scaled_width = how.width,
                           .scaled_height = how.height,
                           .crop_width = how.width,
                           .crop_height = how.height};
  std::vector<float> rgb(static_cast<size_t>(3 * how.width * how.height));
  double sum = 0;
  read_video(file, index, all_of(index), [&](int64_t k, const Frame& frame) {
    frames_to_input(std::span(&frame, 1), whole, bytes, rgb.data());
    const double luma = test::shade_of(how.first + static_cast<int>(k));
    const double gray = how.full_range ? luma : (luma - 16) * 255 / 219;
    const float* const pixel = &rgb[static_cast<size_t>(3 * ((how.height / 2) * how.width + how.width / 4))];
    for (int c = 0; c < 3; ++c) sum += std::abs(pixel[c] - std::clamp(gray, 0.0, 255.0)) / 3;
  });
  return sum / static_cast<double>(index.frame_count());
}

struct Case {
  const char* encoder;
  const char* container;
  std::vector<const char*> pixel_formats;
  const char* options = "";
  double tolerance = 6;  // gray levels; what the codec itself loses
  bool full_range = false;
};

const std::vector<Case> kCases{
    {"libx264", "mp4", {"yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le"}},
    {"libx264",
     "mkv",
     {"yuv420p"},
     "x264-params=open-gop=1\\:keyint=6\\:bframes=3\\:b-pyramid=normal\\:scenecut=0:crf=10"},
    {"libx264", "ts", {"yuv420p"}, "x264-params=open-gop=1\\:keyint=7\\:bframes=2\\:scenecut=0:crf=10"},
    {"libx264", "avi", {"yuv420p"}},
    {"libx264", "flv", {"yuv420p"}},
    {"libx264", "mov", {"yuv420p"}, "x264-params=tff=1\\:bframes=2:crf=10"},  // two fields a frame
    {"libx264", "mp4", {"yuvj420p", "yuvj444p"}, "crf=10", 6, true},
    {"libx264", "h264", {"yuv420p"}},
    {"libx265",
     "mp4",
     {"yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv444p12le"},
     "preset=ultrafast:crf=10:x265-params=log-level=none"},
    {"libx265",
     "mkv",
     {"yuv420p"},
     "preset=ultrafast:crf=10:x265-params=open-gop=1\\:keyint=6\\:bframes=3\\:scenecut=0\\:log-level=none"},
    {"libvpx",
     "webm",
     {"yuv420p"},
     "deadline=realtime:cpu-used=8:auto-alt-ref=1:lag-in-frames=8:arnr-maxframes=3"},
    {"libvpx-vp9",
     "webm",
     {"yuv420p", "yuv444p", "yuv420p10le", "yuv440p"},
     "deadline=realtime:cpu-used=8:lag-in-frames=8:auto-alt-ref=1"},
    {"libvpx-vp9", "mp4", {"yuv420p"}, "deadline=realtime:cpu-used=8"},
    {"libaom-av1", "mp4", {"yuv420p", "yuv420p10le"}, "usage=realtime:cpu-used=8"},
    {"libsvtav1", "mkv", {"yuv420p"}, "preset=12"},
    {"mpeg4", "avi", {"yuv420p"}},
    {"mpeg4", "mp4", {"yuv420p"}},
    {"mpeg2video", "mpg", {"yuv420p", "yuv422p"}},
    {"mpeg2video", "ts", {"yuv420p"}},
    {"mpeg2video", "mkv", {"yuv420p"}},
    {"mpeg1video", "mpg", {"yuv420p"}},
    {"mjpeg", "avi", {"yuvj420p", "yuvj422p", "yuvj444p"}, "", 6, true},
    {"mjpeg", "mov", {"yuvj420p"}, "", 6, true},
    {"gif", "gif", {"rgb8", "gray"}, "", 40},  // 3, 3 and 2 bits of red, green, blue
    {"msmpeg4", "avi", {"yuv420p"}},
    {"wmv2", "asf", {"yuv420p"}},
    {"flv", "flv", {"yuv420p"}},
    {"libtheora", "ogv", {"yuv420p"}},
    {"ffv1", "mkv", {"yuv420p", "yuv422p10le", "yuv410p", "gray", "bgr0"}},
    {"huffyuv", "avi", {"yuv422p", "rgb24"}},
    {"png", "mov", {"rgb24", "rgba", "gray"}, "", 6, true},
    {"prores_ks", "mov", {"yuv422p10le", "yuv444p10le"}},
    {"rawvideo", "avi", {"yuyv422", "nv12", "rgb24"}},
};

}  // namespace

TEST_CASE("every encoder's files: all frames, each the right one, whole and in parts") {
  const test::Folder folder("codecs");
  setenv("SVT_LOG", "1", 1);  // libsvtav1 writes to the terminal by itself: errors only
  int made = 0;
  bool program = false;
  std::string missing;
  for (const Case& k : kCases) {
    if (!test::can_encode(k.encoder)) {
      missing += std::string(" ") + k.encoder;
      continue;
    }
    for (const char* format : k.pixel_formats) {
      const fs::path file = folder.path() / (std::to_string(made) + "." + k.container);
      CAPTURE(std::string(k.encoder));
      CAPTURE(std::string(k.container));
      CAPTURE(std::string(format));
      const test::MadeVideo how{.height = 64,
                                .frames = 26,
                                .gop = 9,
                                .full_range = k.full_range,
                                .encoder = k.encoder,
                                .pixel_format = format,
                                .options = k.options};
      test::make_video(file, how);
      ++made;
      const auto index = index_video(file);
      const std::vector<std::string> expected = plainly_decoded(file), also = by_the_program(file);
      REQUIRE(index->frame_count() == static_cast<int64_t>(expected.size()));
      CHECK(index->frame_count() == 26);
      if (!also.empty()) {
        program = true;
        CHECK(also == expected);
      }
      const auto got = hashes_of(file, *index, all_of(*index));
      for (size_t i = 0; i < expected.size(); ++i) CHECK(got.at(static_cast<int64_t>(i)) == expected[i]);
      Rng rng(5, Purpose::test);
      for (int round = 0; round < 4; ++round) {
        std::vector<int64_t> some{rng.integer(0, 25), rng.integer(0, 25), rng.integer(0, 25)};
        std::ranges::sort(some);
        for (const auto& [number, hash] : hashes_of(file, *index, some)) CHECK(hash == got.at(number));
      }
      CHECK(painted_difference(file, *index, how) < k.tolerance);
    }
  }
  if (!missing.empty()) MESSAGE("SKIPPED, this libav has no encoder:" << missing);
  if (!program) MESSAGE("SKIPPED: the comparison with the ffmpeg program, which is not installed");
  CHECK(made > 10);
}

TEST_CASE("a damaged picture that stands alone is the same, whatever was decoded before it, and is told") {
  const test::Folder folder("standing_alone");
  const fs::path file = folder.path() / "damaged.avi";
  test::make_video(file, {.width = 160,
                          .height = 128,
                          .frames = 4,
                          .full_range = true,
                          .encoder = "mjpeg",
                          .pixel_format = "yuvj420p"});
  const auto whole = index_video(file);
  CHECK(whole->damaged_frames == 0);
  // Into the second half of the third picture's code, bytes that are no code. 0xff begins a marker: none.
  std::vector<unsigned char> bytes = test::bytes_of(file);
  std::vector<size_t> pictures;
  for (size_t i = 0; i + 3 < bytes.size(); ++i)
    if (bytes[i] == 0xff && bytes[i + 1] == 0xd8 && bytes[i + 2] == 0xff) pictures.push_back(i);
  REQUIRE(pictures.size() == 4);
  const size_t end = pictures[3] - 32;
  for (size_t i = pictures[2] + (end - pictures[2]) * 3 / 4; i < end; ++i) bytes[i] = 0xfe;
  test::write_bytes(file, bytes);

  const auto index = index_video(file);
  REQUIRE(index->frame_count() == 4);
  CHECK(index->damaged_frames == 1);
  CHECK_FALSE(index->first_error.empty());
  const auto all = hashes_of(file, *index, {0, 1, 2, 3});
  CHECK(hashes_of(file, *index, {2}).at(2) == all.at(2));
  CHECK(hashes_of(file, *index, {1, 2}).at(2) == all.at(2));
  CHECK(all.at(2) == plainly_decoded(file, /*keep=*/true).at(2));
}
