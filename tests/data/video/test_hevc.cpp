// HEVC packets that no picture refers to: recognized by their headers, and skipped without changing any
// pixel.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "core/rng.h"
#include "data/made_clips.h"
#include "data/video/frame_list.h"
#include "data/video/hevc_packet.h"
#include "data/video/video.h"

using namespace laban;
namespace fs = std::filesystem;

namespace {

std::map<int64_t, std::string> hashes(const fs::path& file, const VideoIndex& index,
                                      const std::vector<int64_t>& wanted) {
  std::map<int64_t, std::string> got;
  hash_frames(file, index, wanted, [&](const ListedFrame& frame) { got.emplace(frame.number, frame.md5); });
  return got;
}

std::vector<int64_t> all_of(const VideoIndex& index) {
  std::vector<int64_t> all(static_cast<size_t>(index.frame_count()));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

}  // namespace

TEST_CASE("HEVC packets tell what they are") {
  const auto kind = [](std::vector<uint8_t> bytes, int length) { return hevc_packet_kind(bytes, length); };
  // Headers: type << 1, then the temporal layer + 1.
  CHECK(kind({0, 0, 0, 3, 0 << 1, 1, 9}, 4).unreferenced_in_layer);         // TRAIL_N
  CHECK_FALSE(kind({0, 0, 0, 3, 1 << 1, 1, 9}, 4).unreferenced_in_layer);   // TRAIL_R
  CHECK(kind({0, 0, 0, 3, 8 << 1, 1, 9}, 4).unreferenced_in_layer);         // RASL_N
  CHECK_FALSE(kind({0, 0, 0, 3, 20 << 1, 1, 9}, 4).unreferenced_in_layer);  // IDR
  CHECK(kind({0, 0, 0, 3, 0 << 1, 3, 9}, 4).temporal_layer == 2);
  CHECK(kind({0, 2, 35 << 1, 1, 0, 3, 0 << 1, 1, 9}, 2).unreferenced_in_layer);        // with a delimiter
  CHECK_FALSE(kind({0, 2, 34 << 1, 1, 0, 3, 0 << 1, 1, 9}, 2).unreferenced_in_layer);  // with parameters
  CHECK_FALSE(kind({0, 2, 39 << 1, 1, 0, 3, 0 << 1, 1, 9}, 2).unreferenced_in_layer);  // with a message
  CHECK_FALSE(kind({0, 3, 1 << 1, 1, 9, 0, 3, 0 << 1, 1, 9}, 2).unreferenced_in_layer);
  CHECK_FALSE(kind({0, 0, 0, 3, 1, 1, 9}, 4).unreferenced_in_layer);  // of another view
  CHECK(kind({0, 0, 1, 0 << 1, 1, 9}, 0).unreferenced_in_layer);      // Annex B
  for (const auto& broken :
       std::vector<std::vector<uint8_t>>{{}, {0, 0, 0}, {0, 0, 0, 9, 0, 1}, {0, 0, 0, 1, 0}})
    CHECK_FALSE(kind(broken, 4).unreferenced_in_layer);
  std::vector<uint8_t> hvcc(23, 0);
  hvcc[0] = 1, hvcc[21] = 0xfd;
  CHECK(hevc_length_size(hvcc) == 2);
  CHECK(hevc_length_size(std::vector<uint8_t>{0, 0, 0, 1, 0x40, 1}) == 0);
}

TEST_CASE("HEVC frames are exact where packets that nobody refers to are left out") {
  if (!test::can_encode("libx265")) {
    MESSAGE("SKIPPED: this libav has no encoder for HEVC");
    return;
  }
  const test::Folder folder("video_hevc");
  Rng rng(3, Purpose::test);
  for (const char* options : {"bframes=3", "bframes=4\\:b-pyramid=0", "bframes=3\\:temporal-layers=1",
                              "bframes=4\\:open-gop=1\\:keyint=12"})
    for (const char* container : {"mp4", "mkv"}) {
      CAPTURE(options);
      CAPTURE(container);
      const fs::path file = folder.path() / ("v." + std::string(container));
      test::make_video(
          file, {.frames = 50,
                 .gop = 20,
                 .encoder = "libx265",
                 .options = "preset=ultrafast:crf=12:x265-params=b-adapt=0\\:scenecut=0\\:log-level=none\\:" +
                            std::string(options)});
      const auto index = index_video(file);
      REQUIRE(index->exact_packets);
      CHECK(std::ranges::count_if(index->packets, &VideoPacket::disposable) > 8);
      VideoIndex plain = *index;  // leaves nothing out
      for (VideoPacket& packet : plain.packets) packet.disposable = false;
      const auto all = hashes(file, plain, all_of(plain));
      REQUIRE(all.size() == 50);
      for (int round = 0; round < 12; ++round) {
        std::vector<int64_t> some;
        for (int n = 0; n <= round % 4; ++n) some.push_back(rng.integer(0, 49));
        std::ranges::sort(some);
        for (const auto& [k, hash] : hashes(file, *index, some)) CHECK(hash == all.at(k));
      }
    }
}
