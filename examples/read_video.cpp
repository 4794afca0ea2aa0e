// Reads exact frames of a video file and writes them as PNG.
//
//   read_video FILE [FRAME...]      frames count from 0; without any: the first, the middle and the last one
//
// Frame k is the k-th picture that playing the whole file shows, whatever the container claims about times and lengths.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>

#include "core/files.h"
#include "data/clip/clip_writer.h"
#include "data/video/video.h"
#include "train/report/clips.h"

namespace {

using namespace laban;

/// What a player would show, in RGB: upright, at its own size.
report::Picture to_picture(const Frame& frame) {
  // Frames stay as decoded (mostly Y, U, V planes) until one pass makes a network's input of them. Neither scaled nor cropped,
  // with a mean of 0 and a deviation of 1, that input is the picture in 0..1.
  const int width = frame.shown_width(), height = frame.shown_height();
  const ClipGeometry whole{
      .scaled_width = width, .scaled_height = height, .crop_width = width, .crop_height = height};
  std::vector<float> values(size_t{3} * static_cast<size_t>(width) * static_cast<size_t>(height));
  frames_to_input({&frame, 1}, whole, {.mean = {0, 0, 0}, .std = {1, 1, 1}}, values.data());
  report::Picture picture{.width = width, .height = height, .rgb = {}};
  for (const float value : values)
    picture.rgb.push_back(static_cast<uint8_t>(std::lround(255 * std::clamp(value, 0.0F, 1.0F))));
  return picture;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) throw UsageError("usage: read_video FILE [FRAME...]");
  const std::string file = argv[1];

  // Indexing decodes the file once and notes which packet gives which frame. Worth keeping for a file that is read often.
  const auto index = index_video(file);
  const int64_t count = index->frame_count();
  std::printf("%s: %lld frames of %dx%d, %.2f a second\n", file.c_str(), static_cast<long long>(count),
              index->shown_width(), index->shown_height(), index->fps);

  std::vector<int64_t> wanted;
  for (int i = 2; i < argc; ++i) wanted.push_back(std::stoll(argv[i]));
  if (wanted.empty()) wanted = {0, count / 2, count - 1};
  std::ranges::sort(wanted);
  if (wanted.front() < 0 || wanted.back() >= count)
    throw UsageError(text("there are frames 0 to ", count - 1, " only"));

  // From here on only what the wanted frames need is decoded: from the last key frame before each.
  read_video(file, *index, wanted, [](int64_t k, const Frame& frame) {
    const std::vector<uint8_t> png = report::encode_png(to_picture(frame));
    const std::string name = text("frame-", k, ".png");
    write_file(name, {reinterpret_cast<const char*>(png.data()), png.size()});
    std::printf("wrote %s\n", name.c_str());
  });
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "read_video: %s\n", error.what());
  return 1;
}
