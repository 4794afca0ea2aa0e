// Augmentation ops: against formulas written out here, against Pillow's results, and the distributions of the
// random draws.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "core/error.h"
#include "data/clip/augment.h"
#include "data/clip/clip_writer.h"
#include "data/clip/pillow_augment.h"
#include "data/load/clip_reader.h"
#include "data/made_clips.h"

using namespace laban;
using namespace laban::test;
namespace fs = std::filesystem;

namespace {

constexpr float kFill[3] = {10, 20, 30};

std::vector<float> applied(AugmentOp op, std::vector<float> rgb, int width, int height) {
  Augmenter().apply(op, rgb.data(), width, height, kFill);
  return rgb;
}

/// The picture that the Pillow values were made from: kAugmentWidth x kAugmentHeight.
std::vector<float> golden_input() { return {std::begin(kAugmentInput), std::end(kAugmentInput)}; }

template <size_t N>
double mean_difference(const std::vector<float>& a, const unsigned char (&b)[N]) {
  REQUIRE(a.size() == N);
  double sum = 0;
  for (size_t i = 0; i < N; ++i) sum += std::abs(a[i] - b[i]);
  return sum / static_cast<double>(N);
}

}  // namespace

TEST_CASE("colors change as Pillow changes them") {
  const auto check = [](AugmentKind kind, double amount, const auto& golden) {
    // Pillow rounds to bytes, and takes grays and means in bytes: within one gray level.
    const auto rgb = applied({kind, amount}, golden_input(), kAugmentWidth, kAugmentHeight);
    CHECK_MESSAGE(mean_difference(rgb, golden) < 1.0, static_cast<int>(kind));
  };
  check(AugmentKind::brightness, 1.4, kPillowBrightness);
  check(AugmentKind::contrast, 0.5, kPillowContrast);
  check(AugmentKind::saturation, 1.7, kPillowColor);
  check(AugmentKind::sharpness, 1.9, kPillowSharpness);
  check(AugmentKind::posterize, 3, kPillowPosterize);
  check(AugmentKind::solarize, 120, kPillowSolarize);
  check(AugmentKind::auto_contrast, 0, kPillowAutoContrast);
  check(AugmentKind::equalize, 0, kPillowEqualize);
}

TEST_CASE("a hue goes around the circle") {
  const std::vector<float> red{200, 40, 40};
  const auto near = [](const std::vector<float>& got, float r, float g, float b) {
    CHECK(got[0] == doctest::Approx(r).epsilon(1e-4));
    CHECK(got[1] == doctest::Approx(g).epsilon(1e-4));
    CHECK(got[2] == doctest::Approx(b).epsilon(1e-4));
  };
  near(applied({AugmentKind::hue, 1.0 / 3}, red, 1, 1), 40, 200, 40);
  near(applied({AugmentKind::hue, -1.0 / 3}, red, 1, 1), 40, 40, 200);
  near(applied({AugmentKind::hue, 0.5}, red, 1, 1), 40, 200, 200);
  near(applied({AugmentKind::hue, 1.0 / 6}, red, 1, 1), 200, 200, 40);
  near(applied({AugmentKind::hue, 0.25}, {70, 70, 70}, 1, 1), 70, 70, 70);
  // There and back again, for any color.
  std::vector<float> rgb = golden_input();
  rgb = applied({AugmentKind::hue, 0.17}, rgb, kAugmentWidth, kAugmentHeight);
  rgb = applied({AugmentKind::hue, -0.17}, rgb, kAugmentWidth, kAugmentHeight);
  for (size_t i = 0; i < rgb.size(); ++i) CHECK(rgb[i] == doctest::Approx(kAugmentInput[i]).epsilon(1e-3));
}

TEST_CASE("shapes move by whole pixels exactly, and turn about the middle") {
  constexpr int kSize = 5;
  std::vector<float> rgb(kSize * kSize * 3);
  std::iota(rgb.begin(), rgb.end(), 50.0f);
  const auto at = [](const std::vector<float>& p, int x, int y) {
    return p[static_cast<size_t>((y * kSize + x) * 3)];
  };
  const auto right = applied({AugmentKind::translate_x, 2}, rgb, kSize, kSize);
  const auto up = applied({AugmentKind::translate_y, -1}, rgb, kSize, kSize);
  const auto quarter = applied({AugmentKind::rotate, 90}, rgb, kSize, kSize);
  const auto sheared = applied({AugmentKind::shear_x, 1}, rgb, kSize, kSize);
  for (int y = 0; y < kSize; ++y)
    for (int x = 0; x < kSize; ++x) {
      CHECK(at(right, x, y) == (x < 2 ? kFill[0] : at(rgb, x - 2, y)));
      CHECK(at(up, x, y) == (y == kSize - 1 ? kFill[0] : at(rgb, x, y + 1)));
      // Clockwise: what was at the left is at the top.
      CHECK(at(quarter, kSize - 1 - y, x) == doctest::Approx(at(rgb, x, y)).epsilon(1e-4));
      CHECK(at(sheared, x, y) == (x + y < kSize ? at(rgb, x + y, y) : kFill[0]));
    }
  CHECK(applied({AugmentKind::identity, 0}, rgb, kSize, kSize) == rgb);
}

TEST_CASE("a shape that moves far away leaves only the fill") {
  for (const AugmentKind kind : {AugmentKind::translate_x, AugmentKind::translate_y})
    for (const double amount : {1e18, -1e18}) {
      const auto rgb = applied({kind, amount}, std::vector<float>(27, 200.0f), 3, 3);
      for (size_t i = 0; i < rgb.size(); ++i) CHECK(rgb[i] == kFill[i % 3]);
    }
}

TEST_CASE("draws: ranges, and every op of RandAugment equally often") {
  Rng rng(1, Purpose::test);
  const AugmentSettings jitter{.brightness = 0.4, .contrast = 2, .hue = 0.1};
  double least = 9, most = 0;
  for (int i = 0; i < 500; ++i) {
    const ClipAugment augment = random_augment(jitter, 20, 20, rng);
    REQUIRE(augment.ops.size() == 3);
    for (const AugmentOp& op : augment.ops) {
      if (op.kind == AugmentKind::brightness)
        least = std::min(least, op.amount), most = std::max(most, op.amount);
      if (op.kind == AugmentKind::contrast) CHECK((op.amount >= 0 && op.amount <= 3));
      if (op.kind == AugmentKind::hue) CHECK(std::abs(op.amount) <= 0.1);
    }
  }
  CHECK((least >= 0.6 && least < 0.62 && most <= 1.4 && most > 1.38));

  std::map<AugmentKind, int> seen;
  for (int i = 0; i < 7000; ++i)
    for (const AugmentOp& op : random_augment({.rand_augment = 2, .rand_magnitude = 30}, 100, 100, rng).ops) {
      ++seen[op.kind];
      if (op.kind == AugmentKind::rotate) CHECK(std::abs(op.amount) == 30);
      if (op.kind == AugmentKind::posterize) CHECK(op.amount == 4);
    }
  CHECK(seen.size() == 14);
  // 14,000 draws of 14 kinds: a thousand each, a deviation of 30.5.
  for (const auto& [kind, count] : seen) CHECK(std::abs(count - 1000) < 5 * 30.5);

  int erased = 0;
  for (int i = 0; i < 400; ++i) {
    const ClipAugment a = random_augment({.erase = 0.25}, 40, 30, rng);
    if (a.erase_w == 0) continue;
    ++erased;
    CHECK((a.erase_x >= 0 && a.erase_x + a.erase_w <= 40 && a.erase_y >= 0 && a.erase_y + a.erase_h <= 30));
    const double fraction = a.erase_w * a.erase_h / 1200.0;
    CHECK((fraction > 0.01 && fraction < 0.36));
  }
  CHECK((erased > 60 && erased < 140));
}

TEST_CASE("settings that make no sense are refused") {
  CHECK_THROWS_AS(validate(AugmentSettings{.hue = 0.6}), UsageError);
  CHECK_THROWS_AS(validate(AugmentSettings{.rand_magnitude = 31}), UsageError);
  CHECK_THROWS_AS(validate(AugmentSettings{.erase = 1.5}), UsageError);
  CHECK_THROWS_AS(validate(AugmentSettings{.brightness = -1}), UsageError);
  CHECK_THROWS_AS(validate(TransformSettings{.area = {0.5, 0.2}}), UsageError);
  CHECK_THROWS_AS(validate(TransformSettings{.rule = ScaleRule::stretch, .stretch_width = 100, .crop = 112}),
                  UsageError);
  CHECK_THROWS_AS(validate(TransformSettings{.flip_vertically = 2}), UsageError);
  CHECK_NOTHROW(validate(TransformSettings{.augment = {.brightness = 0.4, .rand_augment = 2, .erase = 1}}));
}

TEST_CASE("RandomResizedCrop shows the drawn fraction and aspect") {
  const TransformSettings s{.rule = ScaleRule::area, .area = {0.2, 0.6}, .crop = 112};
  Rng rng(2, Purpose::test);
  double share_sum = 0;
  for (int i = 0; i < 2000; ++i) {
    const ClipGeometry g = random_geometry(s, 340, 256, rng);
    const double box_w = 340.0 * 112 / g.scaled_width, box_h = 256.0 * 112 / g.scaled_height;
    const double fraction = box_w * box_h / (340 * 256), aspect = box_w / box_h;
    share_sum += fraction;
    CHECK((fraction > 0.195 && fraction < 0.61));
    CHECK((aspect > 0.74 && aspect < 1.35));
    CHECK((g.x >= 0 && g.y >= 0 && g.x + 112 <= g.scaled_width && g.y + 112 <= g.scaled_height));
  }
  // Uniform shares have a mean of 0.4; boxes that do not fit are drawn anew, which happens to large ones.
  CHECK(share_sum / 2000 == doctest::Approx(0.4).epsilon(0.05));
  // A picture of an aspect far outside: the largest box of the nearest aspect.
  const ClipGeometry wide =
      random_geometry({.rule = ScaleRule::area, .area = {0.9, 1}, .crop = 112}, 1000, 100, rng);
  CHECK(wide.scaled_height == 112);
  CHECK(wide.scaled_width == 840);  // 1000 * 112 / (100 * 4/3)
}

TEST_CASE("stretching ignores the aspect; vertical flips turn the clip upside down") {
  const TransformSettings s{.rule = ScaleRule::stretch, .crop = 112, .flip = 0, .flip_vertically = 1};
  Rng rng(3, Purpose::test);
  const ClipGeometry g = random_geometry(s, 1920, 400, rng), middle = center_geometry(s, 1920, 400);
  CHECK((g.scaled_width == 171 && g.scaled_height == 128 && g.flip_vertically && !g.flip));
  CHECK((middle.x == 30 && middle.y == 8 && !middle.flip_vertically));

  std::vector<uint8_t> rgb(4 * 3 * 3);
  std::iota(rgb.begin(), rgb.end(), uint8_t{0});
  for (const int rotation : {0, 90, 180, 270}) {
    Frame frame;
    frame.width = 4, frame.height = 3, frame.layout = PixelLayout::rgb24;
    frame.plane[0] = rgb.data(), frame.stride[0] = 12, frame.rotation = rotation;
    const int w = frame.shown_width(), h = frame.shown_height();
    ClipGeometry whole{.scaled_width = w, .scaled_height = h, .crop_width = w, .crop_height = h};
    const TransformSettings plain{.mean = {0, 0, 0}, .std = {1, 1, 1}};
    std::vector<float> upright(rgb.size()), turned(rgb.size());
    frames_to_input({&frame, 1}, whole, plain, upright.data());
    whole.flip_vertically = true;
    frames_to_input({&frame, 1}, whole, plain, turned.data());
    for (int y = 0; y < h; ++y)
      for (int i = 0; i < 3 * w; ++i)
        CHECK(turned[static_cast<size_t>(y * 3 * w + i)] ==
              upright[static_cast<size_t>((h - 1 - y) * 3 * w + i)]);
  }
}

TEST_CASE("a clip's frames are all changed alike, by (seed, epoch, item), and only in training") {
  const Folder folder("augmented");
  for (int i = 0; i < 6; ++i) write_bytes(folder.path() / ("clip/" + std::to_string(i) + ".bmp"), tiny_bmp());
  const DatasetItem item{.path = folder.path() / "clip", .name = "clip", .kind = ItemKind::frame_folder};
  const auto index = index_item(item, Trust::long_tables, nullptr);
  ClipSettings how;
  how.sampler = {.frames = 6};
  how.transform = {.short_side_min = 40, .short_side_max = 40, .crop = 40};
  const auto clip = [&](const ClipSettings& settings, ClipSeed seed) {
    std::vector<float> out(6 * 40 * 40 * 3);
    std::vector<int64_t> frames;
    ClipReader().read(item, *index, settings, seed, nullptr, out.data(), frames);
    return out;
  };
  const std::vector<float> plain = clip(how, {});
  how.transform.augment = {.brightness = 0.5, .hue = 0.3, .rand_augment = 3, .erase = 1};
  const std::vector<float> first = clip(how, {.epoch = 1}), again = clip(how, {.epoch = 1}),
                           next = clip(how, {.epoch = 2});
  CHECK(first == again);
  CHECK(first != next);
  CHECK(first != plain);
  // All six pictures are the same, so the clip's frames must be.
  const int64_t frame = 40 * 40 * 3;
  for (int t = 1; t < 6; ++t)
    CHECK(std::equal(first.begin(), first.begin() + frame, first.begin() + t * frame));
  // What was erased is the mean color: zero. Nothing else is exactly that in so many places.
  CHECK(std::count(first.begin(), first.begin() + frame, 0.0f) >= 0.02 * 0.8 * static_cast<double>(frame));
  how.mode = SampleMode::test;
  ClipSettings bare = how;
  bare.transform.augment = {};
  CHECK(clip(how, {}) == clip(bare, {}));
}
