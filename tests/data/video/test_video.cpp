// Exact frames of generated videos, whatever is requested; damaged files give identical frames or a
// FileError, never a crash.
#include <doctest/doctest.h>

extern "C" {
#include <libavutil/frame.h>
}

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <map>
#include <numeric>
#include <set>

#include "core/error.h"
#include "core/rng.h"
#include "data/clip/clip_writer.h"
#include "data/made_clips.h"
#include "data/video/demuxer.h"
#include "data/video/h264_packet.h"
#include "data/video/video.h"
#include "data/video/watch.h"

using namespace laban;
namespace fs = std::filesystem;

namespace {

/// Brightness of the middle of the left half.
int left_shade(const Frame& frame) {
  return frame.plane[0][frame.height / 2 * frame.stride[0] + frame.width / 4];
}

std::map<int64_t, int> shades(const fs::path& file, const VideoIndex& index,
                              const std::vector<int64_t>& wanted) {
  std::map<int64_t, int> got;
  read_video(file, index, wanted,
             [&](int64_t k, const Frame& frame) { CHECK(got.emplace(k, left_shade(frame)).second); });
  return got;
}

std::vector<int64_t> all_of(const VideoIndex& index) {
  std::vector<int64_t> all(static_cast<size_t>(index.frame_count()));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

}  // namespace

TEST_CASE("frame k shows number k: B-frames, several key frames, sparse and dense requests") {
  const test::Folder folder("video");
  MESSAGE("encoder: " << test::encoder_name());
  Rng rng(1, Purpose::test);
  for (const int gop : {1, 7, 30, 250})
    for (const int b_frames : {0, 3}) {
      if (gop == 1 && b_frames > 0) continue;
      for (const char* container : {"mp4", "mkv", "avi"}) {
        const fs::path file = folder.path() / ("v." + std::string(container));
        test::make_video(file, {.frames = 61, .first = 5, .gop = gop, .b_frames = b_frames});
        CAPTURE(gop);
        CAPTURE(b_frames);
        CAPTURE(container);
        const auto index = index_video(file);
        REQUIRE(index->frame_count() == 61);
        CHECK(index->verified);
        CHECK(index->decode_errors == 0);
        CHECK(index->fps == doctest::Approx(25).epsilon(0.01));
        std::vector<std::vector<int64_t>> requests{all_of(*index), {0}, {60}, {30, 30, 30}, {0, 60}, {}};
        for (int i = 0; i < 6; ++i) {
          std::vector<int64_t> some;
          for (int n = 0; n < 1 + i; ++n) some.push_back(rng.integer(0, 60));
          std::ranges::sort(some);
          requests.push_back(some);
        }
        for (const auto& wanted : requests) {
          const auto got = shades(file, *index, wanted);
          CHECK(got.size() == std::set<int64_t>(wanted.begin(), wanted.end()).size());
          for (const auto& [k, shade] : got)
            CHECK(std::abs(shade - test::shade_of(static_cast<int>(k) + 5)) <= 12);
        }
      }
    }
}

TEST_CASE("an H.264 file with B-frames is indexed as one to read by packets") {
  const test::Folder folder("video_exact");
  const fs::path file = folder.path() / "v.mp4";
  test::make_video(file, {.frames = 40, .gop = 10, .b_frames = 2});
  const auto index = index_video(file);
  CHECK(index->exact_packets);
  if (test::encoder_name() != "libx264") return;
  CHECK(std::ranges::count_if(index->packets, &VideoPacket::restart) == 4);
  CHECK(std::ranges::count_if(index->packets, &VideoPacket::disposable) > 5);
}

TEST_CASE("frame numbers that do not ascend, or leave the video, are a caller's mistake") {
  const test::Folder folder("video_range");
  const fs::path file = folder.path() / "v.mp4";
  test::make_video(file, {.frames = 5});
  const auto index = index_video(file);
  CHECK_THROWS_AS(shades(file, *index, {5}), std::logic_error);
  CHECK_THROWS_AS(shades(file, *index, {-1}), std::logic_error);
  CHECK_THROWS_AS(shades(file, *index, {3, 2}), std::logic_error);
}

TEST_CASE("truncated, overwritten and random files: equal frames or a FileError with the file's name") {
  const test::Folder folder("video_bad");
  Rng rng(9, Purpose::test);
  int decoded = 0, refused = 0;
  for (const char* container : {"mp4", "mkv", "avi", "ts"}) {
    const fs::path good = folder.path() / ("good." + std::string(container));
    test::make_video(good, {.frames = 40, .gop = 12});
    const std::vector<unsigned char> bytes = test::bytes_of(good);
    for (int round = 0; round < 40; ++round) {
      std::vector<unsigned char> bad = bytes;
      if (round % 4 == 0)
        bad.resize(static_cast<size_t>(rng.integer(0, static_cast<int64_t>(bytes.size()))));
      else if (round % 4 == 3)
        for (auto& byte : bad) byte = static_cast<unsigned char>(rng.next_u32());
      else
        for (int n = 0; n < 1 << (round % 8); ++n)
          bad[static_cast<size_t>(rng.integer(0, static_cast<int64_t>(bad.size()) - 1))] =
              static_cast<unsigned char>(rng.next_u32());
      const fs::path file = folder.path() / ("bad." + std::string(container));
      test::write_bytes(file, bad);
      try {
        const auto index = index_video(file);
        const auto all = shades(file, *index, all_of(*index));
        CHECK(static_cast<int64_t>(all.size()) == index->frame_count());
        // Whatever a damaged file shows, it shows the same however one asks.
        const std::vector<int64_t> some{index->frame_count() / 3, index->frame_count() - 1};
        for (const auto& [k, shade] : shades(file, *index, some)) CHECK(shade == all.at(k));
        ++decoded;
      } catch (const FileError& error) {
        CHECK(std::string(error.what()).find(file.string()) != std::string::npos);
        CHECK_FALSE(error.advice().empty());
        ++refused;
      }
    }
  }
  CHECK(decoded > 20);
  CHECK(refused > 20);
}

TEST_CASE("what is no video is refused with a sentence") {
  const test::Folder folder("video_none");
  const auto reason = [](const fs::path& file) -> std::string {
    try {
      index_video(file);
    } catch (const FileError& error) {
      return error.what();
    }
    return "accepted";
  };
  const fs::path empty = folder.path() / "empty.mp4", words = folder.path() / "words.mp4";
  test::write_bytes(empty, {});
  std::ofstream(words) << "these are words, and words are no moving pictures";
  CHECK(reason(empty).find("empty") != std::string::npos);
  CHECK(reason(words).find("is a text file, not a video") != std::string::npos);
  CHECK(reason(folder.path()).find("is not a regular file") != std::string::npos);
  CHECK(reason(folder.path() / "none.mp4").find("no such file") != std::string::npos);
}

TEST_CASE("a withdrawn request ends at once, and is no error") {
  const test::Folder folder("video_cancel");
  const fs::path file = folder.path() / "v.mp4";
  test::make_video(file, {.frames = 10});
  std::atomic<bool> cancel{true};
  CHECK_THROWS_AS(index_video(file, Trust::nothing, &cancel), Canceled);
  const auto index = index_video(file);
  const std::vector<int64_t> wanted{9};
  CHECK_THROWS_AS(read_video(
                      file, *index, wanted, [](int64_t, const Frame&) {}, &cancel),
                  Canceled);
}

TEST_CASE("a file that changed since it was indexed is read by the definition, or refused") {
  const test::Folder folder("video_changed");
  const fs::path file = folder.path() / "v.mp4";
  test::make_video(file, {.frames = 30, .gop = 5});
  const auto index = index_video(file);
  test::make_video(file, {.frames = 12, .first = 3, .gop = 5});
  for (const auto& [k, shade] : shades(file, *index, {4})) CHECK(std::abs(shade - test::shade_of(7)) <= 12);
  CHECK_THROWS_AS(shades(file, *index, {20}), FileError);
}

TEST_CASE("a long file's table is believed, checked against the decoded part; mistrust counts every frame") {
  const test::Folder folder("video_long");
  const fs::path file = folder.path() / "v.mp4";
  const int frames = static_cast<int>(kVerifyPackets) + 300;
  test::make_video(file, {.width = 32, .height = 32, .frames = frames, .gop = 50});
  const auto believed = index_video(file), counted = index_video(file, Trust::nothing);
  CHECK_FALSE(believed->verified);
  CHECK(counted->verified);
  CHECK(believed->packet_of_frame == counted->packet_of_frame);
  const std::vector<int64_t> some{10, 1500, frames - 2};
  for (const auto& [k, shade] : shades(file, *believed, some))
    CHECK(std::abs(shade - test::shade_of(static_cast<int>(k))) <= 12);
}

TEST_CASE("the picture size changes in mid-stream: every frame is scaled from its own") {
  const test::Folder folder("video_sizes");
  // Raw H.264 may be joined by its bytes.
  const fs::path file = folder.path() / "v.h264";
  std::vector<unsigned char> bytes;
  int first = 0;
  for (const auto& [width, height] : {std::pair{64, 48}, {128, 96}, {48, 64}}) {
    const fs::path part = folder.path() / "part.h264";
    test::make_video(part, {.width = width, .height = height, .frames = 6, .first = first, .b_frames = 0});
    const auto more = test::bytes_of(part);
    bytes.insert(bytes.end(), more.begin(), more.end());
    first += 6;
  }
  test::write_bytes(file, bytes);
  const auto index = index_video(file);
  REQUIRE(index->frame_count() == 18);
  CHECK(index->width == 64);
  CHECK(index->height == 48);
  CHECK(index->size_change == "64x48 to 128x96 at frame 6");
  CHECK_FALSE(index->exact_packets);
  // A clip of all three sizes: the same part of each picture, whatever its size.
  const TransformSettings how{.short_side_min = 24, .short_side_max = 24, .crop = 24};
  ClipWriter writer;
  writer.begin(center_geometry(how, index->shown_width(), index->shown_height()), how);
  std::vector<float> out(24 * 24 * 3);
  int seen = 0;
  const std::vector<int64_t> wanted{1, 8, 13, 17};
  read_video(file, *index, wanted, [&](int64_t k, const Frame& frame) {
    CHECK(frame.width == (k < 6 ? 64 : k < 12 ? 128 : 48));
    writer.write(frame, out.data());
    const double shown = (out[3 * (12 * 24 + 4)] * 0.225 + 0.45) * 255;
    CHECK(std::abs(shown - (test::shade_of(static_cast<int>(k)) - 16) * 255.0 / 219) < 15);
    ++seen;
  });
  CHECK(seen == 4);
}

TEST_CASE("a container that claims more frames than it has: the count is of what decodes") {
  const test::Folder folder("video_claims");
  const fs::path whole = folder.path() / "whole.mp4", file = folder.path() / "cut.mp4";
  test::make_video(whole, {.frames = 60, .gop = 10, .muxer_options = "movflags=faststart"});
  std::vector<unsigned char> bytes = test::bytes_of(whole);
  // The table stands in front and tells of 60; of the data only a part is there.
  bytes.resize(bytes.size() * 6 / 10);
  test::write_bytes(file, bytes);
  const auto cut = index_video(file);
  CHECK(cut->setup->declared_frames == 60);
  CHECK(cut->frame_count() > 10);
  CHECK(cut->frame_count() < 60);
  const auto all = shades(file, *cut, all_of(*cut));
  CHECK(static_cast<int64_t>(all.size()) == cut->frame_count());
  for (const auto& [k, shade] : all)
    if (k < cut->frame_count() - 2) CHECK(std::abs(shade - test::shade_of(static_cast<int>(k))) <= 12);

  // The data are all there by their length, but zeros from some place on.
  bytes.resize(test::bytes_of(whole).size(), 0);
  test::write_bytes(file, bytes);
  const auto zeros = index_video(file);
  CHECK(zeros->packets.size() == 60);
  CHECK(zeros->frame_count() > 10);
  CHECK(zeros->frame_count() < 60);
  CHECK(zeros->decode_errors > 0);
  CHECK(shades(file, *zeros, all_of(*zeros)).size() == static_cast<size_t>(zeros->frame_count()));
}

TEST_CASE(
    "a fragmented MP4 whose track lost its number is refused before libav counts to a thousand million") {
  const test::Folder folder("unnumbered");
  const fs::path good = folder.path() / "good.mp4", bad = folder.path() / "bad.mp4";
  test::make_video(good, {.frames = 12, .gop = 4, .muxer_options = "movflags=frag_keyframe+empty_moov"});
  CHECK(index_video(good)->frame_count() == 12);
  const std::vector<unsigned char> bytes = test::bytes_of(good);
  const std::string name = "tkhd";
  const auto header = std::ranges::search(bytes, name).begin();
  REQUIRE(header != bytes.end());
  const auto refuses = [&](std::ptrdiff_t at, unsigned char byte) {
    std::vector<unsigned char> changed = bytes;
    changed[static_cast<size_t>(header - bytes.begin() + at)] = byte;
    test::write_bytes(bad, changed);
    CHECK_THROWS_WITH_AS(index_video(bad), doctest::Contains("one of its tracks has no ID"), FileError);
  };
  refuses(2, 0);      // no such header
  refuses(16, 0xff);  // version 0: four bytes of version and flags, two times of four bytes, then the number
  // Cut off anywhere, it is opened as far as it goes.
  for (const size_t length : {size_t{3}, size_t{40}, size_t{300}, bytes.size() / 2}) {
    test::write_bytes(bad, {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length)});
    try {
      const auto index = index_video(bad);
      CHECK(index->frame_count() > 0);
    } catch (const FileError& error) {
      CHECK(std::string(error.what()).find("has no ID") == std::string::npos);
    }
  }
}

TEST_CASE("display matrices: the eight ways, and nonsense") {
  const int32_t one = 1 << 16;
  struct Case {
    int32_t a, b, c, d;
    int rotation;
    bool mirror;
  };
  // A player maps (x, y) to (a x + c y, b x + d y).
  for (const Case& k :
       {Case{one, 0, 0, one, 0, false}, Case{0, one, -one, 0, 90, false}, Case{-one, 0, 0, -one, 180, false},
        Case{0, -one, one, 0, 270, false}, Case{-one, 0, 0, one, 0, true}, Case{one, 0, 0, -one, 180, true},
        Case{0, one, one, 0, 90, true}, Case{0, -one, -one, 0, 270, true}}) {
    const int32_t matrix[9] = {k.a, k.b, 0, k.c, k.d, 0, 0, 0, 1 << 30};
    int rotation = -1;
    bool mirror = !k.mirror;
    REQUIRE(orientation_of(matrix, rotation, mirror));
    CHECK(rotation == k.rotation);
    CHECK(mirror == k.mirror);
    // By following a point: turn clockwise (y points down), then mirror.
    int x = 2, y = 1;
    for (int turn = 0; turn < rotation; turn += 90) std::tie(x, y) = std::pair{-y, x};
    if (mirror) x = -x;
    CHECK(x == (k.a * 2 + k.c) / one);
    CHECK(y == (k.b * 2 + k.d) / one);
  }
  int rotation = 7;
  bool mirror = true;
  const int32_t zero[9] = {}, skew[9] = {one, one / 2, 0, -one / 2, one, 0, 0, 0, 1 << 30};
  CHECK_FALSE(orientation_of(zero, rotation, mirror));
  CHECK_FALSE(orientation_of(skew, rotation, mirror));
  CHECK(rotation == 7);
}

TEST_CASE("H.264 packets tell what they are") {
  const auto kind = [](std::vector<uint8_t> bytes, int length) { return h264_packet_kind(bytes, length); };
  CHECK(kind({0, 0, 0, 2, 0x65, 0x88}, 4).idr);
  CHECK_FALSE(kind({0, 0, 0, 2, 0x41, 0x88}, 4).idr);
  CHECK_FALSE(kind({0, 0, 0, 2, 0x41, 0x88}, 4).disposable);
  CHECK(kind({0, 0, 0, 2, 0x01, 0x88}, 4).disposable);
  CHECK(kind({0, 2, 0x06, 0x05, 0, 2, 0x01, 0x88}, 2).disposable);        // SEI and a slice
  CHECK_FALSE(kind({0, 2, 0x67, 0x05, 0, 2, 0x01, 0x88}, 2).disposable);  // parameters must not be lost
  CHECK_FALSE(kind({0, 2, 0x01, 0x05, 0, 2, 0x41, 0x88}, 2).disposable);  // one of two slices is needed
  CHECK(kind({0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x65, 9}, 0).idr);            // Annex B
  CHECK(kind({0, 0, 1, 0x01, 9, 9}, 0).disposable);
  for (const auto& broken :
       std::vector<std::vector<uint8_t>>{{}, {0, 0, 0}, {0, 0, 0, 9, 0x65}, {0, 0, 0, 0}}) {
    CHECK_FALSE(kind(broken, 4).idr);
    CHECK_FALSE(kind(broken, 4).disposable);
  }
  const std::vector<uint8_t> avcc{1, 100, 0, 31, 0xfd, 0xe1, 0}, annex_b{0, 0, 0, 1, 0x67, 1, 2};
  CHECK(h264_length_size(avcc) == 2);
  CHECK(h264_length_size(annex_b) == 0);
}
