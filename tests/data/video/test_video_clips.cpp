// Every real clip against ffmpeg's own hash of every frame.
#include <doctest/doctest.h>

extern "C" {
#include <libavcodec/version.h>
#include <libavutil/frame.h>
#include <libavutil/imgutils.h>
#include <libavutil/md5.h>
}

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <numeric>
#include <set>

#include "core/error.h"
#include "core/rng.h"
#include "data/clip/clip_writer.h"
#include "data/clip/shown_golden.h"
#include "data/video/video.h"

using namespace laban;
namespace fs = std::filesystem;

namespace {

std::string md5_of(std::span<const uint8_t> bytes) {
  uint8_t digest[16];
  av_md5_sum(digest, bytes.data(), bytes.size());
  std::string hex;
  for (const uint8_t byte : digest) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

std::string md5_of(const AVFrame& picture) {
  const auto format = static_cast<AVPixelFormat>(picture.format);
  std::vector<uint8_t> bytes(
      static_cast<size_t>(av_image_get_buffer_size(format, picture.width, picture.height, 1)));
  av_image_copy_to_buffer(bytes.data(), static_cast<int>(bytes.size()), picture.data, picture.linesize,
                          format, picture.width, picture.height, 1);
  return md5_of(bytes);
}

std::vector<std::string> oracle(const fs::path& file) {
  std::vector<std::string> hashes;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);)
    if (!line.empty() && line[0] != '#') hashes.push_back(line.substr(line.rfind(' ') + 1));
  return hashes;
}

std::map<int64_t, std::string> hashes_of(const fs::path& file, const VideoIndex& index,
                                         const std::vector<int64_t>& wanted) {
  std::map<int64_t, std::string> got;
  read_video_raw(file, index, wanted,
                 [&](int64_t k, const AVFrame& picture) { CHECK(got.emplace(k, md5_of(picture)).second); });
  return got;
}

const fs::path kClips = fs::path(LABAN_SOURCE_DIR) / ".." / "shared" / "clips";

bool clips_here() {
  if (fs::exists(kClips / "framemd5")) return true;
  MESSAGE("SKIPPED: no real clips at " << kClips.string());
  return false;
}

}  // namespace

TEST_CASE("every clip decodes to ffmpeg's frames, or is refused with a sentence") {
  if (!clips_here()) return;
  // Pictures that change their size in mid-stream: `ffmpeg -autoscale 0` leaves each as it is.
  const std::map<std::string, std::vector<std::string>> own_sizes{
      {"oh264__Error_I_P.264",
       {"b070983eefa8b77f0a00b555f7157a37", "b3b8e76bb14ad9ca3c3ac3875a938daf",
        "d6384da960c77c6de815d59010fd6491", "7634cb80645a0fe4d32e17bf1b275540",
        "66d17a39f80a20e9c86cd2bb5b33eb9e", "36e0f713103e57ffc0aea96be9eb3648"}}};
  // The hashes were made by FFmpeg 5.1, which had no decoder for it.
  const std::set<std::string> newer_decoders{"ax__sample_vvc.mp4"};
  int compared = 0, refused = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(kClips)) {
    const fs::path& file = entry.path();
    if (!entry.is_regular_file() || file.extension() == ".md") continue;
    const std::string name = file.filename().string();
    CAPTURE(name);
    if (newer_decoders.contains(name) && LIBAVCODEC_VERSION_MAJOR > 59) continue;
    const std::vector<std::string> expected =
        own_sizes.contains(name) ? own_sizes.at(name) : oracle(kClips / "framemd5" / (name + ".framemd5"));
    try {
      const auto index = index_video(file);
      CHECK(static_cast<size_t>(index->frame_count()) == expected.size());
      if (static_cast<size_t>(index->frame_count()) != expected.size()) continue;
      std::vector<int64_t> all(expected.size());
      std::iota(all.begin(), all.end(), 0);
      const auto got = hashes_of(file, *index, all);
      CHECK(got.size() == expected.size());
      if (name == "mp4parse__no_timescale.mp4") {
        // 97 damaged packets: how ffmpeg conceals them depends on its number of threads, so its default run
        // is no oracle. This is what `ffmpeg -threads 1` gives: the MD5 of its frames' MD5s in a row.
        std::string row;
        for (const auto& [k, hash] : got) row += hash;
        CHECK(md5_of(std::span(reinterpret_cast<const uint8_t*>(row.data()), row.size())) ==
              "f260da41c54f082f8b14d79b90ba4478");
      } else {
        int different = 0, first = -1;
        for (const auto& [k, hash] : got)
          if (hash != expected[static_cast<size_t>(k)] && different++ == 0) first = static_cast<int>(k);
        CAPTURE(first);
        CHECK(different == 0);
      }
      ++compared;
      // Sparse requests take the short ways: restarts, and packets left out.
      Rng rng(7, Purpose::test);
      for (int round = 0; round < 2; ++round) {
        std::vector<int64_t> some;
        for (int i = 0; i < 4; ++i) some.push_back(rng.integer(0, index->frame_count() - 1));
        std::ranges::sort(some);
        for (const auto& [k, hash] : hashes_of(file, *index, some)) CHECK(hash == got.at(k));
      }
    } catch (const FileError& error) {
      ++refused;
      MESSAGE(std::string(error.what()));
      CHECK(expected.empty());
    }
  }
  MESSAGE(compared << " clips compared, " << refused << " refused");
}

TEST_CASE("clips are shown as ffmpeg shows them: turned, mirrored, in their colors") {
  if (!clips_here()) return;
  const TransformSettings bytes{.mean = {0, 0, 0}, .std = {1 / 255.0f, 1 / 255.0f, 1 / 255.0f}};
  for (const test::ShownPicture& shown : test::kShownPictures) {
    const std::string name = shown.clip;
    CAPTURE(name);
    const auto index = index_video(kClips / name);
    CHECK((index->shown_width() >= index->shown_height()) == (shown.width >= shown.height));
    const ClipGeometry whole{.scaled_width = shown.width,
                             .scaled_height = shown.height,
                             .crop_width = shown.width,
                             .crop_height = shown.height};
    std::vector<float> rgb(shown.rgb.size());
    const std::vector<int64_t> first{0};
    read_video(kClips / name, *index, first, [&](int64_t, const Frame& frame) {
      frames_to_input(std::span(&frame, 1), whole, bytes, rgb.data());
    });
    double difference = 0;
    for (size_t i = 0; i < rgb.size(); ++i)
      difference += std::abs(static_cast<double>(rgb[i]) - shown.rgb[i]);
    difference /= static_cast<double>(rgb.size());
    CHECK(difference < 1.0);
  }
}
