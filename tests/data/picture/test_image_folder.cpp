// Folders of pictures: order, formats, and errors that name the picture.
#include <doctest/doctest.h>
#include <turbojpeg.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <numeric>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "data/load/clip_reader.h"
#include "data/made_clips.h"
#include "data/picture/decode_limits.h"
#include "data/picture/exif.h"
#include "data/picture/image_folder.h"
#include "data/video/video_index.h"
#include "data/video/watch.h"

using namespace laban;
namespace fs = std::filesystem;

namespace {

using Bytes = std::vector<unsigned char>;

/// A smooth picture: lossy coding keeps it.
int value(int x, int y, int c, int shift) { return 60 + shift + x * 2 + y * (c + 1); }

Bytes jpeg(int width, int height, int shift, int subsampling, int flags = 0) {
  Bytes rgb(static_cast<size_t>(width * height * 3));
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c)
        rgb[static_cast<size_t>((y * width + x) * 3 + c)] = static_cast<unsigned char>(value(x, y, c, shift));
  const std::unique_ptr<void, int (*)(void*)> coder(tjInitCompress(), tjDestroy);
  unsigned char* data = nullptr;
  unsigned long size = 0;
  REQUIRE(tjCompress2(coder.get(), rgb.data(), width, 0, height, TJPF_RGB, &data, &size, subsampling, 98,
                      flags) == 0);
  Bytes bytes(data, data + size);
  tjFree(data);
  return bytes;
}

/// 24-bit BMP: rows from the bottom, B, G, R, padded to four bytes.
Bytes bmp(int width, int height, int shift) {
  const int row = (width * 3 + 3) / 4 * 4, size = 54 + row * height;
  Bytes b(static_cast<size_t>(size), 0);
  const auto put = [&](size_t at, int n) {
    for (size_t i = 0; i < 4; ++i) b[at + i] = static_cast<unsigned char>(n >> (8 * i));
  };
  b[0] = 'B', b[1] = 'M', b[26] = 1, b[28] = 24;
  put(2, size), put(10, 54), put(14, 40), put(18, width), put(22, height);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c)
        b[static_cast<size_t>(54 + (height - 1 - y) * row + x * 3 + 2 - c)] =
            static_cast<unsigned char>(value(x, y, c, shift));
  return b;
}

/// 5x3 PNG of one color (10, 200, 30), as Pillow writes it.
const Bytes kPng{0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49,
                 0x48, 0x44, 0x52, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0x03, 0x08, 0x02,
                 0x00, 0x00, 0x00, 0xd4, 0x54, 0x52, 0xaf, 0x00, 0x00, 0x00, 0x14, 0x49, 0x44,
                 0x41, 0x54, 0x78, 0x9c, 0x63, 0xe4, 0x3a, 0x21, 0xc7, 0x80, 0x04, 0x98, 0x18,
                 0x50, 0x01, 0x3a, 0x1f, 0x00, 0x2b, 0xcc, 0x00, 0xf6, 0xb3, 0xf6, 0x61, 0x25,
                 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};

std::string reason(const auto& action) {
  try {
    action();
  } catch (const FileError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("pictures come in the order of their numbers") {
  const test::Folder folder("pictures");
  // A Let's Dance name: the id may hold anything, the number comes last.
  const std::vector<std::string> names{"a_b-1_7_0000.bmp", "a_b-1_7_2.bmp", "a_b-1_7_0003.BMP",
                                       "a_b-1_7_10.bmp", "a_b-1_7_0100.bmp"};
  for (const size_t i : {3u, 0u, 4u, 2u, 1u})
    test::write_bytes(folder.path() / names[i], bmp(6, 4, static_cast<int>(i)));
  test::write_bytes(folder.path() / "notes.txt", {1});
  test::write_bytes(folder.path() / ".hidden.bmp", {1});
  const FolderIndex index = index_folder(folder.path());
  REQUIRE(index.frame_count() == 5);
  CHECK(index.width == 6);
  CHECK(index.height == 4);
  for (size_t i = 0; i < 5; ++i) CHECK(index.picture(static_cast<int64_t>(i)).filename() == names[i]);
  PictureReader reader;
  std::vector<int64_t> seen;
  const std::vector<int64_t> wanted{0, 2, 2, 4};
  read_folder(index, wanted, reader, [&](int64_t k, const Frame& frame) {
    seen.push_back(k);
    CHECK(frame.plane[0][0] == value(0, 0, 0, static_cast<int>(k)));
  });
  CHECK(seen == std::vector<int64_t>{0, 2, 4});
}

TEST_CASE("JPEG of every chroma layout, BMP and PNG give the picture's colors") {
  const test::Folder folder("formats");
  PictureReader reader;
  const TransformSettings bytes{.mean = {0, 0, 0}, .std = {1 / 255.0f, 1 / 255.0f, 1 / 255.0f}};
  const auto check = [&](const fs::path& file, PixelLayout layout, int width, int height, int shift,
                         double tolerance) {
    CAPTURE(file.string());
    const Frame frame = reader.read(file);
    CHECK(frame.layout == layout);
    REQUIRE(frame.width == width);
    REQUIRE(frame.height == height);
    std::vector<float> rgb(static_cast<size_t>(width * height * 3));
    const ClipGeometry whole{
        .scaled_width = width, .scaled_height = height, .crop_width = width, .crop_height = height};
    frames_to_input(std::span(&frame, 1), whole, bytes, rgb.data());
    double sum = 0;
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x)
        for (int c = 0; c < 3; ++c) {
          const int expected = layout == PixelLayout::gray8
                                   ? (299 * value(x, y, 0, shift) + 587 * value(x, y, 1, shift) +
                                      114 * value(x, y, 2, shift)) /
                                         1000
                                   : value(x, y, c, shift);
          sum += std::abs(static_cast<double>(rgb[static_cast<size_t>((y * width + x) * 3 + c)]) - expected);
        }
    CHECK(sum / (width * height * 3) < tolerance);
  };
  struct Case {
    int subsampling;
    PixelLayout layout;
  };
  for (const Case& k : {Case{TJSAMP_420, PixelLayout::yuv420p}, Case{TJSAMP_422, PixelLayout::yuv422p},
                        Case{TJSAMP_444, PixelLayout::yuv444p}, Case{TJSAMP_GRAY, PixelLayout::gray8},
                        Case{TJSAMP_440, PixelLayout::rgb24}}) {
    const fs::path file = folder.path() / text("j", k.subsampling, ".jpg");
    test::write_bytes(file, jpeg(37, 23, 4, k.subsampling));
    check(file, k.layout, 37, 23, 4, 1.5);
  }
  test::write_bytes(folder.path() / "b.bmp", bmp(7, 5, 1));
  check(folder.path() / "b.bmp", PixelLayout::rgb24, 7, 5, 1, 0.01);
  test::write_bytes(folder.path() / "p.png", kPng);
  const Frame png = reader.read(folder.path() / "p.png");
  CHECK(png.width == 5);
  CHECK(png.height == 3);
  CHECK(png.plane[0][14 * 3] == 10);
  CHECK(png.plane[0][14 * 3 + 1] == 200);
  CHECK(png.plane[0][14 * 3 + 2] == 30);
  // By content, not by name.
  test::write_bytes(folder.path() / "really_jpeg.png", jpeg(37, 23, 4, TJSAMP_420));
  check(folder.path() / "really_jpeg.png", PixelLayout::yuv420p, 37, 23, 4, 1.5);
}

TEST_CASE("a broken picture is refused by name") {
  const test::Folder folder("broken_pictures");
  PictureReader reader;
  const auto refused = [&](const char* name, Bytes bytes) {
    const fs::path file = folder.path() / name;
    test::write_bytes(file, bytes);
    const std::string why = reason([&] { reader.read(file); });
    CAPTURE(why);
    CHECK(why.starts_with(file.string() + ": "));
  };
  Bytes half = jpeg(64, 64, 0, TJSAMP_420);
  half.resize(half.size() / 2);
  refused("half.jpg", half);
  refused("half.png", Bytes(kPng.begin(), kPng.end() - 20));
  refused("empty.jpg", {});
  refused("words.png", {'w', 'o', 'r', 'd', 's'});
  refused("start_only.jpg", {0xff, 0xd8, 0xff});
  Bytes cut = bmp(9, 5, 0);
  cut.pop_back();
  refused("cut.bmp", cut);
  refused("header.bmp", Bytes(cut.begin(), cut.begin() + 30));
  Bytes other_colors = kPng;
  for (size_t at = 8; at < kPng.size(); ++at) {
    other_colors[at] ^= 0x04;
    refused("flipped.png", other_colors);
    other_colors[at] ^= 0x04;
  }
  fs::create_directory(folder.path() / "folder.jpg");
  CHECK(reason([&] { reader.read(folder.path() / "folder.jpg"); }).find("but a folder") != std::string::npos);
  CHECK(reason([&] { reader.read(folder.path() / "none.jpg"); }).find("no such file") != std::string::npos);
  // And the reader still works.
  test::write_bytes(folder.path() / "good.jpg", jpeg(16, 16, 0, TJSAMP_420));
  CHECK(reader.read(folder.path() / "good.jpg").width == 16);
}

namespace {
struct Limits {
  explicit Limits(const DecodeLimits& limits) { set_decode_limits(limits); }
  ~Limits() { set_decode_limits({}); }
};
}  // namespace

TEST_CASE("a picture of more pixels than allowed is refused before it is decoded") {
  const test::Folder folder("large_pictures");
  PictureReader reader;
  const std::vector<std::pair<const char*, Bytes>> pictures{
      {"a.jpg", jpeg(64, 48, 0, TJSAMP_420)}, {"a.bmp", bmp(64, 48, 0)}, {"a.png", kPng}};
  for (const auto& [name, bytes] : pictures) {
    CAPTURE(std::string(name));
    test::write_bytes(folder.path() / name, bytes);
    const int64_t pixels = bytes == kPng ? 5 * 3 : 64 * 48;
    {
      const Limits limit({.pixels = pixels - 1});
      const std::string why = reason([&] { reader.read(folder.path() / name); });
      CHECK_MESSAGE(why.find(text("pixels, more than the ", pixels - 1, " allowed")) != std::string::npos,
                    why);
    }
    const Limits limit({.pixels = pixels});
    CHECK(reader.read(folder.path() / name).width > 0);
  }
  test::make_video(folder.path() / "v.mp4", {.width = 64, .height = 48, .frames = 3});
  {
    const Limits limit({.pixels = 64 * 48 - 1});
    CHECK_THROWS_AS(index_video(folder.path() / "v.mp4", Trust::nothing), FileError);
  }
  CHECK(index_video(folder.path() / "v.mp4", Trust::nothing)->frame_count() == 3);
  Bytes huge = kPng;  // 16133 x 16131: 260 million
  huge[18] = huge[22] = 0x3f;
  test::write_bytes(folder.path() / "huge.png", huge);
  CHECK(reason([&] { reader.read(folder.path() / "huge.png"); }).find("raise --max-pixels") !=
        std::string::npos);
}

TEST_CASE("a few bytes that claim a huge picture cost nothing") {
  const test::Folder folder("huge_pictures");
  const Limits limit({.pixels = int64_t{1} << 30});
  PictureReader reader;
  const auto refused = [&](const char* name, const Bytes& bytes) {
    test::write_bytes(folder.path() / name, bytes);
    CHECK(reason([&] { reader.read(folder.path() / name); }).find("pixels, but has only") !=
          std::string::npos);
  };
  Bytes claims = jpeg(64, 64, 0, TJSAMP_420);
  for (size_t at = 2; at + 9 < claims.size(); ++at)
    if (claims[at] == 0xff && claims[at + 1] == 0xc0)  // start of frame: height and width follow
      claims[at + 5] = claims[at + 7] = 0x3f;
  refused("claims.jpg", claims);
  Bytes png = kPng;
  png[18] = png[22] = 0x3f;
  refused("claims.png", png);
}

TEST_CASE("a progressive JPEG is read, one of hundreds of scans is refused") {
  const test::Folder folder("scans");
  PictureReader reader;
  const fs::path file = folder.path() / "p.jpg";
  const Bytes whole = jpeg(64, 48, 0, TJSAMP_420, TJFLAG_PROGRESSIVE);
  test::write_bytes(file, whole);
  CHECK(reader.read(file).width == 64);
  // The last scan again and again, before the end of the picture.
  const auto end = whole.end() - 2;
  const std::array<unsigned char, 2> scan{0xff, 0xda};
  const auto last = std::find_end(whole.begin(), end, scan.begin(), scan.end());
  REQUIRE(last != end);
  Bytes many(whole.begin(), end);
  for (int i = 0; i < 300; ++i) many.insert(many.end(), last, end);
  many.insert(many.end(), end, whole.end());
  test::write_bytes(file, many);
  const std::string why = reason([&] { reader.read(file); });
  CHECK_MESSAGE(why.find("scans; more than 200 of 64x48 pixels are not read") != std::string::npos, why);
  CHECK(why.find("raise --max-scans") != std::string::npos);
  const Limits limit({.scans = 400});
  CHECK(reason([&] { reader.read(file); }).find("scans; more than") == std::string::npos);
}

TEST_CASE("a picture of too many scans in a Motion JPEG video is refused") {
  const test::Folder folder("motion_jpeg_scans");
  const fs::path file = folder.path() / "v.avi";
  test::make_video(
      file, {.width = 320, .height = 240, .frames = 4, .encoder = "mjpeg", .pixel_format = "yuvj420p"});
  CHECK(reason([&] { index_video(file); }) == "accepted");
  Bytes bytes = test::bytes_of(file);
  const std::string_view list = "movi";
  const auto movie = std::search(bytes.begin(), bytes.end(), list.begin(), list.end());
  const std::array<unsigned char, 3> start{0xff, 0xd8, 0xff}, scan{0xff, 0xda, 0};
  auto at = std::search(movie, bytes.end(), start.begin(), start.end());
  REQUIRE(bytes.end() - at > 2 + 60 * 4);
  at += 2;
  for (int i = 0; i < 60; ++i) {
    at = std::copy(scan.begin(), scan.end(), at);
    *at++ = 2;
  }
  test::write_bytes(file, bytes);
  const Limits limit({.scans = 50});
  const std::string why = reason([&] { index_video(file); });
  CHECK_MESSAGE(why.find("scans; more than 50 of 320x240") != std::string::npos, why);
}

TEST_CASE("large pictures may have fewer scans") {
  const auto most = [](int width, int height) {
    Bytes scans{0xff, 0xd8};
    int count = 0;
    for (; count < 1000; ++count) {
      scans.insert(scans.end(), {0xff, 0xda, 0, 2});
      if (reason([&] { require_few_scans("x.jpg", scans, width, height); }) != "accepted") break;
    }
    return count;
  };
  CHECK(most(640, 480) == 200);
  CHECK(most(4096, 2048) == 200);
  CHECK(most(8192, 8192) == 25);
  CHECK(most(1, 1) == 200);
  const Limits limit({.scans = 3});
  CHECK(most(640, 480) == 3);
  CHECK(most(30000, 30000) == 1);
}

TEST_CASE("what takes too long to decode is refused, whatever it is") {
  const test::Folder folder("slow");
  test::make_video(folder.path() / "v.mp4", {.width = 640, .height = 480, .frames = 60});
  for (int k = 0; k < 9; ++k)
    test::write_bytes(folder.path() / "f" / (std::to_string(k) + ".jpg"), jpeg(640, 480, 10 * k, TJSAMP_420));
  DatasetItem video{.path = folder.path() / "v.mp4", .name = "v.mp4"};
  DatasetItem pictures{.path = folder.path() / "f", .name = "f"};
  pictures.kind = ItemKind::frame_folder;
  for (const DatasetItem& item : {video, pictures}) {
    CAPTURE(item.name);
    const auto index = index_item(item, Trust::nothing, nullptr);
    std::vector<int64_t> all(static_cast<size_t>(index->frame_count()));
    std::iota(all.begin(), all.end(), 0);
    PictureReader reader;
    ShardReader shards;
    const auto read = [&] {
      read_frames(item, *index, all, reader, shards, nullptr, [](int64_t, const Frame&) {});
    };
    CHECK(reason(read) == "accepted");
    const Limits limit({.seconds = 1e-5});
    const std::string why = reason(read);
    CHECK_MESSAGE(why.starts_with(item.path.string() + ": takes more than 1e-05 s"), why);
    CHECK(why.find("raise --max-decode-time") != std::string::npos);
    // Another policy of the same kind: nobody waits for the result any more.
    const std::atomic<bool> cancel{true};
    CHECK_THROWS_AS(read_frames(item, *index, all, reader, shards, &cancel, [](int64_t, const Frame&) {}),
                    Canceled);
  }
  const Limits limit({.seconds = 1e-5});
  CHECK(reason([&] { index_video(video.path); }).find("takes more than") != std::string::npos);
}

TEST_CASE("a link that leads nowhere is a picture that cannot be read, not one that is not there") {
  const test::Folder folder("dangling_pictures");
  for (const char* name : {"1.bmp", "3.bmp"}) test::write_bytes(folder.path() / name, bmp(8, 8, 0));
  fs::create_symlink(folder.path() / "gone.bmp", folder.path() / "2.bmp");
  const FolderIndex index = index_folder(folder.path());
  CHECK(index.frame_count() == 3);
  PictureReader reader;
  const std::vector<int64_t> wanted{0, 1, 2};
  CHECK(reason([&] { read_folder(index, wanted, reader, [](int64_t, const Frame&) {}); })
            .starts_with((folder.path() / "2.bmp").string() +
                         ": there is no such file: it is a link that leads nowhere"));
}

TEST_CASE("folders that are no clip: empty, or pictures of several sizes") {
  const test::Folder folder("odd_folders");
  CHECK(reason([&] { index_folder(folder.path()); }).find("no JPEG, PNG or BMP") != std::string::npos);
  CHECK(reason([&] { index_folder(folder.path() / "none"); }).find("cannot read the folder") !=
        std::string::npos);
  test::write_bytes(folder.path() / "1.bmp", bmp(6, 4, 0));
  test::write_bytes(folder.path() / "2.bmp", bmp(5, 4, 0));
  const FolderIndex index = index_folder(folder.path());
  PictureReader reader;
  const std::vector<int64_t> wanted{0, 1};
  const std::string why = reason([&] { read_folder(index, wanted, reader, [](int64_t, const Frame&) {}); });
  CHECK(why.find("2.bmp: the picture is 5x4, but the first in its folder is 6x4") != std::string::npos);
}

TEST_CASE("a folder of pictures is an item like a video") {
  const test::Folder folder("picture_item");
  for (int k = 0; k < 9; ++k)
    test::write_bytes(folder.path() / (std::to_string(k) + ".jpg"), jpeg(40, 30, 10 * k, TJSAMP_420));
  const DatasetItem item{.path = folder.path(), .kind = ItemKind::frame_folder};
  const auto index = index_item(item, Trust::long_tables, nullptr);
  CHECK(index->frame_count() == 9);
  ClipReader reader;
  ClipSettings settings{.sampler = {.frames = 3},
                        .transform = {.short_side_min = 20, .short_side_max = 20, .crop = 16},
                        .mode = SampleMode::test};
  std::vector<float> clip(3 * 16 * 16 * 3);
  std::vector<int64_t> frames;
  reader.read(item, *index, settings, {}, nullptr, clip.data(), frames);
  CHECK(frames == std::vector<int64_t>{1, 4, 7});
  // Each frame is 30 gray levels brighter than the one before.
  for (size_t t = 1; t < 3; ++t)
    CHECK((clip[t * 768 + 300] - clip[(t - 1) * 768 + 300]) * 0.225f * 255 ==
          doctest::Approx(30).epsilon(0.1));
}

TEST_CASE(
    "several series in one folder: the pictures of the scene are taken, and said; else one is asked for") {
  const test::Folder folder("series");
  const auto fill = [&](const std::vector<std::string>& prefixes, int count) {
    for (const std::string& prefix : prefixes)
      for (int k = 1; k <= count; ++k)
        test::write_bytes(folder.path() / (prefix + std::to_string(1000 + k) + ".bmp"), bmp(6, 4, k));
  };
  const auto clear = [&] { fs::remove_all(folder.path()), fs::create_directories(folder.path()); };
  const auto frames = [&](const std::string& pattern = "") { return list_frames(folder.path(), pattern); };
  fill({"img_", "flow_x_", "flow_y_"}, 5);
  CHECK(frames().frame_count() == 5);
  CHECK(frames().picture(0).filename() == "img_1001.bmp");
  CHECK(frames().chosen ==
        "img_%04d.bmp (5 pictures) is taken; left out: flow_x_%04d.bmp (5 pictures), flow_y_%04d.bmp "
        "(5 pictures)");
  CHECK(frames("flow_x_%04d.bmp").picture(4).filename() == "flow_x_1005.bmp");
  clear();
  for (const std::vector<std::string>& open : {std::vector<std::string>{"cam1_", "cam2_"},
                                               {"left_", "right_"},
                                               {"img_", "image_"},
                                               {"a", "b", "c"}}) {
    fill(open, 4);
    CHECK_THROWS_WITH_AS(frames(), doctest::Contains("series of pictures: "), FileError);
    CHECK(frames(open[1] + "%04d.bmp").frame_count() == 4);
    clear();
  }
  // Numbers before the last that only continue it: seconds and frames, shots that follow one another.
  for (const char* name : {"0_10.bmp", "0_20.bmp", "1_05.bmp", "1_15.bmp"})
    test::write_bytes(folder.path() / name, bmp(6, 4, 1));
  CHECK(frames().frame_count() == 4);
  CHECK(frames().picture(2).filename() == "1_05.bmp");
  clear();
  for (const char* name : {"shot1_01.bmp", "shot1_02.bmp", "shot2_03.bmp", "shot2_04.bmp"})
    test::write_bytes(folder.path() / name, bmp(6, 4, 1));
  CHECK(frames().frame_count() == 4);
  CHECK(frames().chosen.empty());
  clear();
  // Strays.
  fill({"f"}, 4);
  for (const char* name : {"cover.bmp", "f1002_thumb.bmp"})
    test::write_bytes(folder.path() / name, bmp(9, 9, 0));
  CHECK(frames().frame_count() == 4);
  CHECK(frames().chosen.find("cover.bmp") != std::string::npos);
  // Two kinds of the same pictures; and a series of two kinds.
  test::write_bytes(folder.path() / "f1002.jpg", jpeg(16, 16, 0, TJSAMP_420));
  CHECK_THROWS_WITH_AS(frames(), doctest::Contains("some pictures twice: f1002.bmp and f1002.jpg"),
                       FileError);
  fs::remove(folder.path() / "f1002.bmp");
  CHECK(frames().frame_count() == 4);
  CHECK(frames().chosen.find("pictures of different kinds") != std::string::npos);
  clear();
  for (const char* name : {"b.bmp", "a.bmp", "1623456789012345678.bmp"})
    test::write_bytes(folder.path() / name, bmp(6, 4, 0));
  CHECK(frames().frame_count() == 3);
}

namespace {

/// A JPEG file with a TIFF file in an EXIF segment.
Bytes with_exif(const Bytes& plain, const std::string& tiff) {
  const std::string segment = std::string("Exif\0\0", 6) + tiff;
  std::string all = "\xff\xd8\xff\xe1";
  all += '\0';
  all += static_cast<char>(segment.size() + 2);
  all += segment;
  all.append(plain.begin() + 2, plain.end());
  return {all.begin(), all.end()};
}

/// Four bytes of order, magic and directory; one entry: orientation, a short.
std::string tiff_of(int orientation, bool little) {
  const auto number = [little](int value, size_t bytes) {
    std::string all;
    for (size_t i = 0; i < bytes; ++i)
      all += static_cast<char>(value >> (8 * (little ? i : bytes - 1 - i)) & 255);
    return all;
  };
  return (little ? "II" : "MM") + number(42, 2) + number(8, 4) + number(1, 2) + number(0x112, 2) +
         number(3, 2) + number(1, 4) + number(orientation, 2) + number(0, 2) + number(0, 4);
}

}  // namespace

TEST_CASE("EXIF orientation: the eight of them, in both byte orders") {
  const test::Folder folder("exif");
  const Bytes plain = jpeg(16, 8, 0, TJSAMP_444);
  struct View {
    int rotation;
    bool mirror;
  };
  // The EXIF standard says where row 0 and column 0 are: 6 is right and top, so the picture is turned clockwise.
  const std::array<View, 8> views{
      {{0, false}, {0, true}, {180, false}, {180, true}, {90, true}, {90, false}, {270, true}, {270, false}}};
  PictureReader reader;
  const fs::path picture = folder.path() / "p.jpg";
  for (int orientation = 0; orientation <= 9; ++orientation)
    for (const bool little : {true, false}) {
      CAPTURE(orientation);
      test::write_bytes(picture, with_exif(plain, tiff_of(orientation, little)));
      const Frame frame = reader.read(picture);
      const View expected =
          orientation >= 1 && orientation <= 8 ? views[static_cast<size_t>(orientation - 1)] : View{0, false};
      CHECK(frame.rotation == expected.rotation);
      CHECK(frame.mirror == expected.mirror);
      CHECK(frame.width == 16);
    }
  // Cut short, or no TIFF, it is ignored.
  for (const std::string& tiff : {tiff_of(6, true).substr(0, 12), std::string("nothing"), std::string()}) {
    test::write_bytes(picture, with_exif(plain, tiff));
    CHECK(reader.read(picture).rotation == 0);
  }
  fs::remove(picture);
  // A clip of turned pictures is as high as they are wide; one that is turned otherwise is refused.
  for (const char* name : {"1.jpg", "2.jpg"})
    test::write_bytes(folder.path() / name, with_exif(plain, tiff_of(6, true)));
  const auto index =
      index_item({.path = folder.path(), .kind = ItemKind::frame_folder}, Trust::long_tables, nullptr);
  CHECK(index->shown_width() == 8);
  CHECK(index->shown_height() == 16);
  test::write_bytes(folder.path() / "3.jpg", plain);
  const std::vector<int64_t> all{0, 1, 2};
  CHECK_THROWS_WITH_AS(
      read_folder(index_folder(folder.path()), all, reader, [](int64_t, const Frame&) {}),
      doctest::Contains("3.jpg: the picture is turned, by its EXIF orientation, unlike the first"),
      FileError);
}

TEST_CASE("a turned picture reaches the network as it is displayed") {
  const test::Folder folder("exif_pixels");
  const Bytes plain = jpeg(24, 16, 0, TJSAMP_444);  // brighter to the right, and downwards
  test::write_bytes(folder.path() / "turned/1.jpg", with_exif(plain, tiff_of(6, false)));
  const DatasetItem item{.path = folder.path() / "turned", .kind = ItemKind::frame_folder};
  const ClipSettings settings{
      .sampler = {.frames = 1},
      .transform = {.short_side_min = 16, .short_side_max = 16, .crop = 16, .flip = 0},
      .mode = SampleMode::test};
  ClipReader reader;
  std::vector<float> out(16 * 16 * 3);
  std::vector<int64_t> frames;
  reader.read(item, *index_item(item, Trust::long_tables, nullptr), settings, {}, nullptr, out.data(),
              frames);
  const auto red = [&](int y, int x) { return out[static_cast<size_t>(3 * (y * 16 + x))]; };
  // Stored right is displayed down, stored down is displayed left.
  CHECK(red(14, 8) > red(2, 8));
  CHECK(red(8, 2) > red(8, 14));
}

TEST_CASE("EXIF orientation in a PNG") {
  const test::Folder folder("exif_png");
  // What the reader takes from the file is the chunk alone; the picture is read elsewhere.
  const std::string tiff = tiff_of(8, false);
  std::string file("\x89PNG\r\n\x1a\n\0\0\0\0IHDRcrc.\0\0\0", 23);
  file += static_cast<char>(tiff.size());
  file += "eXIf" + tiff + "crc.";
  const Bytes bytes(file.begin(), file.end());
  CHECK(exif_orientation(bytes) == 8);
  for (size_t length = 0; length < bytes.size() - 4; ++length)
    CHECK(exif_orientation(std::span(bytes).first(length)) == 1);
}

TEST_CASE("a CMYK JPEG gives the colors that its inks make") {
  const test::Folder folder("cmyk");
  constexpr int kSide = 16;
  Bytes inks;  // 20 % cyan, 40 % magenta, 20 % black, stored inverted, as Adobe's programs do
  for (int i = 0; i < kSide * kSide; ++i)
    for (const int ink : {51, 102, 0, 51}) inks.push_back(static_cast<unsigned char>(255 - ink));
  const std::unique_ptr<void, int (*)(void*)> coder(tjInitCompress(), tjDestroy);
  unsigned char* data = nullptr;
  unsigned long size = 0;
  REQUIRE(tjCompress2(coder.get(), inks.data(), kSide, 0, kSide, TJPF_CMYK, &data, &size, TJSAMP_444, 98,
                      0) == 0);
  const Bytes bytes(data, data + size);
  tjFree(data);
  test::write_bytes(folder.path() / "p.jpg", bytes);
  PictureReader reader;
  const Frame frame = reader.read(folder.path() / "p.jpg");
  REQUIRE(frame.layout == PixelLayout::rgb24);
  // R = (1 - C) (1 - K) and so on: 0.8 x 0.8, 0.6 x 0.8 and 1 x 0.8 of 255.
  const std::array<int, 3> expected{163, 122, 204};
  for (size_t c = 0; c < 3; ++c) CHECK(std::abs(frame.plane[0][c] - expected[c]) <= 3);
}
