// Scale, crop, flip, colors: against a slow direct evaluation of the definition, and against Pillow's
// results.
#include <doctest/doctest.h>

#include "data/clip/clip_writer.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "core/error.h"
#include "data/clip/pillow_golden.h"

using namespace laban;

namespace {

/// A frame that owns random or computed planes.
struct Picture {
  std::array<std::vector<uint8_t>, 3> planes;
  Frame frame;
};

template <class Value>
Picture make_picture(PixelLayout layout, int width, int height, Value value) {
  Picture p;
  p.frame.layout = layout, p.frame.width = width, p.frame.height = height;
  const int count = layout == PixelLayout::gray8 || layout == PixelLayout::rgb24 ? 1 : 3;
  for (int i = 0; i < count; ++i) {
    const bool half_x = i > 0 && layout != PixelLayout::yuv444p,
               half_y = i > 0 && layout == PixelLayout::yuv420p;
    const int w = (half_x ? (width + 1) / 2 : width) * (layout == PixelLayout::rgb24 ? 3 : 1);
    const int h = half_y ? (height + 1) / 2 : height;
    const auto n = static_cast<size_t>(i);
    p.frame.stride[n] = w + 5;  // rows with a tail that belongs to nobody
    p.planes[n].assign(static_cast<size_t>((w + 5) * h), 0xEE);
    for (int y = 0; y < h; ++y)
      for (int x = 0; x < w; ++x)
        p.planes[n][static_cast<size_t>(y * (w + 5) + x)] = static_cast<uint8_t>(value(x, y, i));
    p.frame.plane[n] = p.planes[n].data();
  }
  return p;
}

/// The definition, one output pixel at a time, in double: triangle weights over a stored plane around (cx,
/// cy).
double sample(const Frame& f, size_t plane, int channels, int channel, int sub_x, int sub_y, double cx,
              double cy, double ratio_x, double ratio_y) {
  const int w = (f.width + sub_x - 1) / sub_x, h = (f.height + sub_y - 1) / sub_y;
  cx /= sub_x, cy /= sub_y;
  const double fx = std::max(1.0, ratio_x / sub_x), fy = std::max(1.0, ratio_y / sub_y);
  double sum = 0, weights = 0;
  for (int y = 0; y < h; ++y)
    for (int x = 0; x < w; ++x) {
      const double weight =
          std::max(0.0, 1 - std::abs(x + 0.5 - cx) / fx) * std::max(0.0, 1 - std::abs(y + 0.5 - cy) / fy);
      sum += weight * f.plane[plane][y * f.stride[plane] + x * channels + channel];
      weights += weight;
    }
  return sum / weights;
}

std::array<double, 3> direct(const Frame& f, const ClipGeometry& g, int i, int j) {
  const bool turned = f.rotation % 180 != 0;
  const double shown_w = f.shown_width(), shown_h = f.shown_height();
  const double rx = shown_w / g.scaled_width, ry = shown_h / g.scaled_height;
  double u = (g.x + (g.flip ? g.crop_width - 1 - j : j) + 0.5) * rx, v = (g.y + i + 0.5) * ry;
  if (f.mirror) u = shown_w - u;
  double cx = u, cy = v;  // where the player's turn by `rotation` clockwise took this point from
  if (f.rotation == 90) cx = v, cy = f.height - u;
  if (f.rotation == 180) cx = f.width - u, cy = f.height - v;
  if (f.rotation == 270) cx = f.width - v, cy = u;
  const double sx = turned ? ry : rx, sy = turned ? rx : ry;
  std::array<double, 3> rgb{};
  if (f.layout == PixelLayout::rgb24) {
    for (int c = 0; c < 3; ++c) rgb[static_cast<size_t>(c)] = sample(f, 0, 3, c, 1, 1, cx, cy, sx, sy);
  } else {
    const int sub_x = f.layout == PixelLayout::yuv444p ? 1 : 2,
              sub_y = f.layout == PixelLayout::yuv420p ? 2 : 1;
    double y = sample(f, 0, 1, 0, 1, 1, cx, cy, sx, sy), cb = 0, cr = 0;
    if (f.layout != PixelLayout::gray8) {
      cb = sample(f, 1, 1, 0, sub_x, sub_y, cx, cy, sx, sy) - 128;
      cr = sample(f, 2, 1, 0, sub_x, sub_y, cx, cy, sx, sy) - 128;
    }
    if (!f.full_range) y = (y - 16) * 255 / 219, cb *= 255.0 / 224, cr *= 255.0 / 224;
    switch (f.matrix) {  // the decimals that the standards print
      case ColorMatrix::bt601:
        rgb = {y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb};
        break;
      case ColorMatrix::bt709:
        rgb = {y + 1.5748 * cr, y - 0.187324 * cb - 0.468124 * cr, y + 1.8556 * cb};
        break;
      case ColorMatrix::bt2020:
        rgb = {y + 1.4746 * cr, y - 0.164553 * cb - 0.571353 * cr, y + 1.8814 * cb};
        break;
    }
  }
  for (double& value : rgb) value = std::clamp(value, 0.0, 255.0);
  return rgb;
}

int texture(int x, int y, int c) { return (x * x * 3 + y * 7 + x * y * 2 * (c + 1) + c * 40) % 256; }

const TransformSettings kBytes{.mean = {0, 0, 0},
                               .std = {1 / 255.0f, 1 / 255.0f, 1 / 255.0f}};  // values 0..255

ClipGeometry whole(int width, int height) {
  return {.scaled_width = width, .scaled_height = height, .crop_width = width, .crop_height = height};
}

template <size_t N>
double mean_difference(const std::vector<float>& got, const std::array<unsigned char, N>& expected) {
  REQUIRE(got.size() == N);
  double sum = 0;
  for (size_t i = 0; i < N; ++i) sum += std::abs(static_cast<double>(got[i]) - expected[i]);
  return sum / N;
}

}  // namespace

TEST_CASE("one pass equals the direct definition: layouts, colors, sizes, turns, crops") {
  Rng rng(11, Purpose::test);
  for (int round = 0; round < 160; ++round) {
    const auto layout = static_cast<PixelLayout>(round % 5);
    const int width = static_cast<int>(rng.integer(1, 70)), height = static_cast<int>(rng.integer(1, 50));
    Picture p = make_picture(layout, width, height, [&](int, int, int) { return rng.integer(0, 255); });
    p.frame.matrix = static_cast<ColorMatrix>(rng.integer(0, 2));
    p.frame.full_range = rng.coin(0.5);
    p.frame.rotation = static_cast<int>(rng.integer(0, 3)) * 90;
    p.frame.mirror = rng.coin(0.5);
    ClipGeometry g;
    g.scaled_width = static_cast<int>(rng.integer(1, 40)),
    g.scaled_height = static_cast<int>(rng.integer(1, 40));
    g.crop_width = static_cast<int>(rng.integer(1, g.scaled_width)),
    g.crop_height = static_cast<int>(rng.integer(1, g.scaled_height));
    g.x = static_cast<int>(rng.integer(0, g.scaled_width - g.crop_width));
    g.y = static_cast<int>(rng.integer(0, g.scaled_height - g.crop_height));
    g.flip = rng.coin(0.5);
    const TransformSettings settings{.mean = {0.1f, 0.5f, 0.9f}, .std = {0.2f, 0.3f, 0.4f}};
    const size_t count = static_cast<size_t>(g.crop_width * g.crop_height * 3);
    std::vector<float> got(count + 1, -77.0f);
    frames_to_input(std::span(&p.frame, 1), g, settings, got.data());
    CHECK(got[count] == -77.0f);
    double worst = 0;
    for (int i = 0; i < g.crop_height; ++i)
      for (int j = 0; j < g.crop_width; ++j) {
        const std::array<double, 3> rgb = direct(p.frame, g, i, j);
        for (size_t c = 0; c < 3; ++c) {
          const double expected = (rgb[c] / 255 - settings.mean[c]) / settings.std[c];
          worst =
              std::max(worst, std::abs(expected - got[static_cast<size_t>(i * g.crop_width + j) * 3 + c]));
        }
      }
    CAPTURE(round);
    CHECK(worst < 1e-4);
  }
}

TEST_CASE("Pillow's antialiased bilinear") {
  const auto resized = [](const Picture& p, int width, int height) {
    std::vector<float> out(static_cast<size_t>(width * height * 3));
    frames_to_input(std::span(&p.frame, 1), whole(width, height), kBytes, out.data());
    return out;
  };
  const auto rgb = [](int x, int y, int) { return texture(x / 3, y, x % 3); };
  CHECK(mean_difference(resized(make_picture(PixelLayout::rgb24, 61, 47, rgb), 20, 15), test::kPillowDown) <
        0.5);
  CHECK(mean_difference(resized(make_picture(PixelLayout::rgb24, 13, 9, rgb), 24, 17), test::kPillowUp) <
        0.5);
  const auto yuv = [](int x, int y, int p) {
    if (p == 0) return 60 + (texture(x, y, 0) * 219 / 255) / 2;
    return p == 1 ? 128 + ((x * 3 - y * 2) % 41 + 41) % 41 - 20 : 128 + (x + y * 2) % 37 - 18;
  };
  CHECK(mean_difference(resized(make_picture(PixelLayout::yuv420p, 64, 48, yuv), 24, 18), test::kPillowYuv) <
        1.0);
}

TEST_CASE("known colors") {
  const auto rgb_of = [](int y, int u, int v, ColorMatrix matrix, bool full) {
    Picture p = make_picture(PixelLayout::yuv420p, 4, 4, [&](int, int, int plane) {
      return plane == 0 ? y : plane == 1 ? u : v;
    });
    p.frame.matrix = matrix, p.frame.full_range = full;
    std::vector<float> out(4 * 4 * 3);
    frames_to_input(std::span(&p.frame, 1), whole(4, 4), kBytes, out.data());
    return std::array<int, 3>{static_cast<int>(std::lround(out[0])), static_cast<int>(std::lround(out[1])),
                              static_cast<int>(std::lround(out[2]))};
  };
  // Black, white and the primaries as BT.601 and BT.709 code them in limited range.
  CHECK(rgb_of(16, 128, 128, ColorMatrix::bt601, false) == std::array{0, 0, 0});
  CHECK(rgb_of(235, 128, 128, ColorMatrix::bt709, false) == std::array{255, 255, 255});
  CHECK(rgb_of(81, 90, 240, ColorMatrix::bt601, false) == std::array{254, 0, 0});
  CHECK(rgb_of(145, 54, 34, ColorMatrix::bt601, false) == std::array{0, 255, 1});
  CHECK(rgb_of(63, 102, 240, ColorMatrix::bt709, false) == std::array{255, 1, 0});
  CHECK(rgb_of(76, 85, 255, ColorMatrix::bt601, true) == std::array{254, 0, 0});
  CHECK(rgb_of(255, 128, 128, ColorMatrix::bt601, true) == std::array{255, 255, 255});
}

TEST_CASE("a writer serves clip after clip, frame after frame of another size") {
  ClipWriter writer;
  const Picture a = make_picture(PixelLayout::yuv420p, 40, 30, texture),
                b = make_picture(PixelLayout::rgb24, 21, 33, texture);
  const ClipGeometry g{
      .scaled_width = 20, .scaled_height = 16, .x = 3, .y = 2, .crop_width = 12, .crop_height = 10};
  for (const Picture* p : {&a, &b, &a}) {
    std::vector<float> fresh(360), reused(360);
    frames_to_input(std::span(&p->frame, 1), g, kBytes, fresh.data());
    writer.begin(g, kBytes);
    writer.write(a.frame, reused.data());
    writer.write(p->frame, reused.data());
    CHECK(fresh == reused);
  }
}

TEST_CASE("random geometry covers its ranges, both ends included, and stays inside") {
  const TransformSettings s{.short_side_min = 10, .short_side_max = 13, .crop = 9, .flip = 0.25};
  Rng rng(5, Purpose::test);
  std::set<int> sides, xs, ys;
  int flips = 0;
  for (int i = 0; i < 4000; ++i) {
    const ClipGeometry g = random_geometry(s, 40, 30, rng);
    sides.insert(g.scaled_height);
    CHECK(g.scaled_width == 40 * g.scaled_height / 30);
    if (g.scaled_height == 13) xs.insert(g.x), ys.insert(g.y);
    CHECK((g.x >= 0 && g.x + g.crop_width <= g.scaled_width && g.y >= 0 &&
           g.y + g.crop_height <= g.scaled_height));
    flips += g.flip;
  }
  CHECK(sides == std::set<int>{10, 11, 12, 13});
  CHECK(xs == std::set<int>{0, 1, 2, 3, 4, 5, 6, 7, 8});
  CHECK(ys == std::set<int>{0, 1, 2, 3, 4});
  CHECK(std::abs(flips - 1000) < 140);  // 5 sigma
  const ClipGeometry tall = random_geometry(s, 30, 41, rng);
  CHECK(tall.scaled_height == 41 * tall.scaled_width / 30);
}

TEST_CASE("center geometry: least scale, halves to even, no flip") {
  const TransformSettings s{.short_side_min = 10, .short_side_max = 13, .crop = 9, .flip = 1};
  const ClipGeometry g = center_geometry(s, 40, 30);
  CHECK(g.scaled_width == 13);
  CHECK(g.scaled_height == 10);
  CHECK(g.x == 2);
  CHECK(g.y == 0);  // 1/2 is rounded to 0
  CHECK_FALSE(g.flip);
}

TEST_CASE("the whole frame: all of it in evaluation, nearly all of it in training, whatever its aspect") {
  const TransformSettings s{.rule = ScaleRule::frame, .zoom = 1.25, .crop = {72, 96}, .flip = 0};
  for (const auto& [width, height] : std::vector<std::pair<int, int>>{{320, 240}, {240, 320}, {8, 3}}) {
    const ClipGeometry all = center_geometry(s, width, height);
    CHECK((all.scaled_width == 96 && all.scaled_height == 72 && all.x == 0 && all.y == 0));
    CHECK((all.crop_width == 96 && all.crop_height == 72));
    Rng rng(3, Purpose::test);
    std::set<int> widths, heights;
    for (int i = 0; i < 500; ++i) {
      const ClipGeometry g = random_geometry(s, width, height, rng);
      widths.insert(g.scaled_width), heights.insert(g.scaled_height);
      CHECK((g.x >= 0 && g.x + 96 <= g.scaled_width && g.y >= 0 && g.y + 72 <= g.scaled_height));
    }
    CHECK((*widths.begin() == 96 && *widths.rbegin() == 120));
    CHECK((*heights.begin() == 72 && *heights.rbegin() == 90));
  }
}

TEST_CASE("rectangular crops fit, whichever way the picture lies, and keep the aspect of its pixels") {
  const TransformSettings s{.short_side_min = 80, .short_side_max = 100, .crop = {72, 96}};
  Rng rng(4, Purpose::test);
  for (const auto& [width, height] :
       std::vector<std::pair<int, int>>{{320, 240}, {240, 320}, {100, 1000}, {500, 500}}) {
    for (int i = 0; i < 200; ++i) {
      const ClipGeometry g = random_geometry(s, width, height, rng);
      CAPTURE(g.scaled_width);
      CAPTURE(g.scaled_height);
      CHECK((g.crop_width == 96 && g.crop_height == 72));
      CHECK((g.x + 96 <= g.scaled_width && g.y + 72 <= g.scaled_height));
      CHECK(static_cast<double>(g.scaled_width) / width ==
            doctest::Approx(static_cast<double>(g.scaled_height) / height).epsilon(0.02));
    }
    const ClipGeometry g = center_geometry(s, width, height);
    CHECK((g.scaled_width >= 96 && g.scaled_height >= 72));
  }
  CHECK(center_geometry(s, 320, 240).scaled_height == 80);
  CHECK(short_sides({.crop = {56, 300}}).min == 64);
  CHECK_THROWS_AS(
      validate(TransformSettings{.rule = ScaleRule::stretch, .stretch_height = 100, .crop = {112, 64}}),
      UsageError);
  CHECK_THROWS_AS(validate(TransformSettings{.zoom = 0.5}), UsageError);
  CHECK_THROWS_AS(validate(TransformSettings{.crop = {0, 64}}), UsageError);
}

TEST_CASE("settings that cannot make a clip are refused") {
  CHECK_THROWS_AS(validate(TransformSettings{.crop = 0}), UsageError);
  CHECK_THROWS_AS(validate(TransformSettings{.short_side_min = 100, .crop = 112}), UsageError);
  CHECK_THROWS_AS(validate(TransformSettings{.short_side_min = 200, .short_side_max = 150}), UsageError);
  CHECK_THROWS_AS(validate(TransformSettings{.flip = 1.5}), UsageError);
  CHECK_THROWS_AS(validate(TransformSettings{.std = {1, 0, 1}}), UsageError);
  CHECK_NOTHROW(validate(TransformSettings{}));
}

TEST_CASE("three crops: the center and both ends of the longer side") {
  TransformSettings s{.short_side_min = 20, .short_side_max = 30, .crop = 16};
  const auto at = [&](CropPlace place, int width, int height) {
    s.place = place;
    return evaluation_geometry(s, width, height);
  };
  // 80 x 40 becomes 40 x 20.
  CHECK(at(CropPlace::center, 80, 40).x == 12);
  CHECK(at(CropPlace::first, 80, 40).x == 0);
  CHECK(at(CropPlace::last, 80, 40).x == 24);
  for (const CropPlace place : {CropPlace::center, CropPlace::first, CropPlace::last}) {
    CHECK(at(place, 80, 40).y == 2);
    CHECK(at(place, 40, 80).x == 2);
    CHECK(at(place, 40, 80).scaled_height == 40);
    CHECK(!at(place, 40, 80).flip);
  }
  CHECK(at(CropPlace::center, 40, 80).y == 12);
  CHECK(at(CropPlace::first, 40, 80).y == 0);
  CHECK(at(CropPlace::last, 40, 80).y == 24);
}
