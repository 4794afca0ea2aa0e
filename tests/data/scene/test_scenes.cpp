// Clips that look alike: what a sketch keeps, what is found, and what that does to a split.
#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <random>
#include <set>

#include "core/error.h"
#include "core/files.h"
#include "data/check/check.h"
#include "data/dataset/dataset.h"
#include "data/made_clips.h"
#include "data/scene/scenes.h"
#include "data/scene/sketch_store.h"

using namespace laban;
namespace fs = std::filesystem;

namespace {

/// A still camera's view: patches of random brightness, the same for the same camera.
struct Camera {
  int number = 0;
  int shade(double x, double y) const {
    std::mt19937 random(
        static_cast<unsigned>(1000 * number + 40 * static_cast<int>(10 * y) + static_cast<int>(12 * x)));
    return 30 + static_cast<int>(random() % 180);
  }
};

struct Shot {
  Camera camera{};
  int width = 96, height = 72;
  double start = 0;     // of the box that moves
  int brighter = 0;     // than the camera's view
  double contrast = 1;  // of it
};

/// A frame as 24-bit BMP, with a box that moves through it.
std::vector<unsigned char> frame_of(const Shot& shot, double time) {
  const int row = (shot.width * 3 + 3) / 4 * 4, size = 54 + row * shot.height;
  std::vector<unsigned char> b(static_cast<size_t>(size), 0);
  const auto put = [&](size_t at, int n) {
    for (size_t i = 0; i < 4; ++i) b[at + i] = static_cast<unsigned char>(n >> (8 * i));
  };
  b[0] = 'B', b[1] = 'M', b[26] = 1, b[28] = 24;
  put(2, size), put(10, 54), put(14, 40), put(18, shot.width), put(22, shot.height);
  for (int y = 0; y < shot.height; ++y)
    for (int x = 0; x < shot.width; ++x) {
      const double u = static_cast<double>(x) / shot.width, v = static_cast<double>(y) / shot.height;
      const double left = std::fmod(shot.start + time, 1.0) * 0.8;
      const bool box = u >= left && u < left + 0.2 && v > 0.5 && v < 0.8;
      const double shade = (box ? 250 : shot.camera.shade(u, v)) * shot.contrast + shot.brighter;
      for (int c = 0; c < 3; ++c)
        b[static_cast<size_t>(54 + (shot.height - 1 - y) * row + x * 3 + c)] =
            static_cast<unsigned char>(std::clamp(shade, 0.0, 255.0));
    }
  return b;
}

void make_clip(const fs::path& folder, const Shot& shot) {
  for (int k = 0; k < 9; ++k)
    test::write_bytes(folder / (std::to_string(100 + k) + ".bmp"), frame_of(shot, k / 9.0));
}

ClipSketch sketch_of_folder(const fs::path& folder) {
  return sketch_of({.path = folder, .kind = ItemKind::frame_folder}, nullptr);
}

ClipSketch sketch_of_shot(const Shot& shot) {
  const test::Folder folder("shot");
  make_clip(folder.path() / "clip", shot);
  return sketch_of_folder(folder.path() / "clip");
}

std::string notes_of(const Dataset& d) {
  std::string all;
  for (const std::string& note : d.notes) all += note + "\n";
  return all;
}

}  // namespace

TEST_CASE("a thumbnail is the displayed picture, whatever the storage") {
  // 64x32, a bright upper left corner.
  std::vector<uint8_t> luma(64 * 32, 10);
  for (size_t y = 0; y < 8; ++y)
    for (size_t x = 0; x < 16; ++x) luma[y * 64 + x] = 200;
  Frame frame;
  frame.width = 64, frame.height = 32, frame.layout = PixelLayout::gray8;
  frame.plane[0] = luma.data(), frame.stride[0] = 64;
  const auto corner = [&](int rotation, bool mirror) -> std::string {
    frame.rotation = rotation, frame.mirror = mirror;
    const Thumbnail small = thumbnail_of(frame);
    const auto bright = [&](size_t y, size_t x) { return small[y * kThumbnailSide + x] == 200; };
    const size_t last = kThumbnailSide - 1;
    return text(bright(0, 0) ? "upper left" : "", bright(0, last) ? "upper right" : "",
                bright(last, 0) ? "lower left" : "", bright(last, last) ? "lower right" : "");
  };
  CHECK(corner(0, false) == "upper left");
  CHECK(corner(90, false) == "upper right");  // clockwise
  CHECK(corner(180, false) == "lower right");
  CHECK(corner(270, false) == "lower left");
  CHECK(corner(0, true) == "upper right");
  CHECK(corner(90, true) == "upper left");
  // Smaller than a thumbnail.
  frame.width = 3, frame.height = 2, frame.rotation = 0, frame.mirror = false;
  CHECK(thumbnail_of(frame)[0] == 200);
}

TEST_CASE("sketches: the same scene, copies, and neither") {
  const ClipSketch day = sketch_of_shot({.camera = {1}});
  REQUIRE(day.frames.size() == kSketchFrames);
  CHECK(compare(day, day) == Likeness::copy);
  // Scaled, brighter, of less contrast, of another shape: the same clip.
  CHECK(compare(day, sketch_of_shot({.camera = {1}, .width = 160, .height = 90})) == Likeness::copy);
  CHECK(compare(day, sketch_of_shot({.camera = {1}, .brighter = 30, .contrast = 0.8})) == Likeness::copy);
  // Something else before the same background.
  CHECK(compare(day, sketch_of_shot({.camera = {1}, .start = 0.5})) == Likeness::scene);
  CHECK(compare(day, sketch_of_shot({.camera = {1}, .start = 0.5, .brighter = 50, .contrast = 0.5})) ==
        Likeness::scene);
  for (int other = 2; other < 30; ++other)
    CHECK(compare(day, sketch_of_shot({.camera = {other}})) == Likeness::none);
  // What cannot be read is like nothing, nor is a plain picture that does not change.
  CHECK(compare(sketch_of_folder("nowhere"), sketch_of_folder("nowhere")) == Likeness::none);
  ClipSketch black;
  black.frames.resize(kSketchFrames);
  CHECK(compare(black, black) == Likeness::none);
}

TEST_CASE("sketches of videos: encoded anew is a copy; bytes keep them") {
  const test::Folder folder("sketched_videos");
  test::make_video(folder.path() / "a.mp4", {.frames = 60});
  test::make_video(folder.path() / "b.mkv", {.width = 96, .height = 80, .frames = 60, .gop = 10});
  test::make_video(folder.path() / "c.mp4", {.frames = 60, .first = 7});
  const auto sketch = [&](const char* name) { return sketch_of({.path = folder.path() / name}, nullptr); };
  const ClipSketch a = sketch("a.mp4");
  CHECK(a.frames.size() == kSketchFrames);
  CHECK(compare(a, sketch("b.mkv")) == Likeness::copy);
  CHECK(compare(a, sketch("c.mp4")) == Likeness::none);
  CHECK(sketch_from(to_bytes(a)) == a);
  CHECK(sketch_from("") == ClipSketch{});
  CHECK_FALSE(sketch_from("no sketch").has_value());
  CHECK_FALSE(sketch_from(to_bytes(a) + "x").has_value());
  std::atomic<bool> stop{true};
  CHECK_THROWS(sketch_of({.path = folder.path() / "a.mp4"}, &stop));
}

TEST_CASE("the file of sketches: by size and time, relative to the dataset; another's file stays") {
  const test::Folder folder("sketch_store");
  ClipSketch sketch;
  sketch.frames.resize(2);
  sketch.background[5] = 77;
  const fs::path file = folder.path() / ".laban-sketches";
  {
    SketchStore store(file, folder.path());
    CHECK_FALSE(store.find(folder.path() / "a.mp4", {10, 20}).has_value());
    store.add(folder.path() / "a.mp4", {10, 20}, sketch);
    store.save();
  }
  CHECK(SketchStore(file, folder.path()).find(folder.path() / "a.mp4", {10, 20}) == sketch);
  CHECK_FALSE(SketchStore(file, folder.path()).find(folder.path() / "a.mp4", {10, 21}).has_value());
  std::string bytes = read_file(file);
  bytes[bytes.size() - 100] ^= 1;
  std::ofstream(file, std::ios::binary) << bytes;
  CHECK_FALSE(SketchStore(file, folder.path()).find(folder.path() / "a.mp4", {10, 20}).has_value());
  std::ofstream(file) << "a thesis";
  SketchStore other(file, folder.path());
  other.add(folder.path() / "a.mp4", {10, 20}, sketch);
  other.save();
  CHECK(read_file(file) == "a thesis");
  CHECK(sketch_store_file("data/.laban-packets") == "data/.laban-sketches");
  CHECK(sketch_store_file("mine.idx") == "mine.idx.sketches");
  CHECK(sketch_store_file("").empty());
}

namespace {

/// Three classes before ten cameras, three clips of each class and camera.
void make_surveillance(const fs::path& root) {
  for (int camera = 0; camera < 10; ++camera)
    for (int clip = 0; clip < 9; ++clip)
      make_clip(root / std::string(1, static_cast<char>('a' + clip % 3)) /
                    ("clip" + std::to_string(37 * (9 * camera + clip) % 90)),
                {.camera = {camera}, .width = 48, .height = 36, .start = clip / 9.0});
}

Dataset split_by_content(const fs::path& root, const DatasetSettings& settings) {
  Dataset d = open_dataset(root, settings);
  keep_alike_together(d, find_alike(sketch_clips(d, {.workers = 2}), 2), settings.split);
  return d;
}

int64_t shared_scenes(const Dataset& d) {
  const std::vector<Finding> findings =
      compare_looks(d, std::vector<FileReport>(d.items.size()), find_alike(sketch_clips(d, {.workers = 2})));
  return std::ranges::count(findings, FindingKind::shared_scene, &Finding::kind);
}

}  // namespace

TEST_CASE("a drawn split leaks scenes by name, and does not by content") {
  const test::Folder root("surveillance");
  make_surveillance(root.path());
  for (const uint64_t seed : {1u, 2u, 3u}) {
    CAPTURE(seed);
    const Dataset by_name = split_by_content(root.path(), {.split = {.seed = seed, .by = SplitBy::name}});
    CHECK(shared_scenes(by_name) >= 8);  // found by check
    const Dataset d = split_by_content(root.path(), {.split = {.seed = seed}});
    CHECK(shared_scenes(d) == 0);
    CHECK(d.of(Split::train).size() == 72);
    CHECK(d.of(Split::val).size() == 9);
    CHECK(d.of(Split::test).size() == 9);
    std::set<std::string> groups;
    for (const DatasetItem& item : d.items) groups.insert(item.group);
    CHECK(groups.size() == 10);
    CHECK(notes_of(d).find("90 clips look alike, in 10 groups (the largest of 9)") != std::string::npos);
    // The index keeps it.
    std::ofstream(root.path() / kIndexFile) << index_text(d, root.path());
    const Dataset again = open_dataset(root.path(), {});
    for (size_t i = 0; i < d.items.size(); ++i) CHECK(again.items[i].split == d.items[i].split);
    fs::remove(root.path() / kIndexFile);
  }
}

TEST_CASE("a class before one camera is divided, which is said; copies stay together") {
  const test::Folder root("one_camera");
  for (int clip = 0; clip < 20; ++clip) {
    const Shot shot{.camera = {7}, .start = clip / 20.0};
    make_clip(root.path() / "a" / std::to_string(clip), shot);
    if (clip < 6)
      make_clip(root.path() / "a" / (std::to_string(clip) + " copy"),
                {.camera = {7}, .width = 128, .height = 128, .start = clip / 20.0});
    make_clip(root.path() / "b" / std::to_string(clip), {.camera = {100 + clip}, .width = 48, .height = 36});
  }
  const Dataset d = split_by_content(root.path(), {});
  CHECK(notes_of(d).find(
            "all clips of class \"a\" look alike: one scene, of 26 clips (a/0, ...). It is divided") !=
        std::string::npos);
  CHECK(d.of(Split::test).size() >= 4);
  const auto split_of = [&](const std::string& name) {
    return std::ranges::find(d.items, name, &DatasetItem::name)->split;
  };
  for (int clip = 0; clip < 6; ++clip)
    CHECK(split_of("a/" + std::to_string(clip)) == split_of("a/" + std::to_string(clip) + " copy"));
}

TEST_CASE("validation clips are drawn by content, too; what the dataset says stays") {
  const test::Folder root("drawn_val");
  make_surveillance(root.path());
  std::string train, test;
  for (const char* name : {"a", "b", "c"})
    for (int i = 0; i < 90; ++i)
      if (fs::exists(root.path() / name / ("clip" + std::to_string(i))))
        (i % 5 ? train : test) += text(name, "/clip", i, " ", name, "\n");
  std::ofstream(root.path() / "train.txt") << train;
  std::ofstream(root.path() / "test.txt") << test;
  const Dataset before = open_dataset(root.path(), {});
  const Dataset d = split_by_content(root.path(), {});
  CHECK(d.drawn == DrawnSplits::val);
  CHECK(d.of(Split::test) == before.of(Split::test));
  CHECK(d.of(Split::val).size() >= 5);
  std::set<std::string> in_val, in_train;
  for (const int i : d.of(Split::val)) in_val.insert(d.items[static_cast<size_t>(i)].group);
  for (const int i : d.of(Split::train)) in_train.insert(d.items[static_cast<size_t>(i)].group);
  for (const std::string& group : in_val) CHECK_FALSE(in_train.contains(group));
  CHECK(std::ranges::count_if(d.notes, [](const std::string& note) {
          return note.find("define no validation clips") != std::string::npos;
        }) == 1);
}

TEST_CASE("--split-by file: names of sources do not count, files do") {
  const test::Folder root("by_file");
  for (int i = 0; i < 10; ++i)
    for (const char* name : {"a", "b"})
      test::write_bytes(root.path() / name / ("v_x_g01_c0" + std::to_string(i) + ".mp4"), {1});
  CHECK_THROWS_WITH_AS(open_dataset(root.path(), {.split = {.by = SplitBy::name}}),
                       doctest::Contains("come from one source"), Error);
  CHECK(open_dataset(root.path(), {.split = {.by = SplitBy::file}}).of(Split::test).size() == 2);
}
