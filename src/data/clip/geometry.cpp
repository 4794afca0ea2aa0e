// Scale, crop and flip of a clip.
#include "data/clip/geometry.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace laban {
namespace {

ClipGeometry scaled(const TransformSettings& settings, int width, int height, int short_side) {
  require(width > 0 && height > 0, "geometry: an empty picture");
  const int64_t w = width, h = height, s = short_side;
  const PictureSize crop = settings.crop;
  ClipGeometry g{.crop_width = crop.width, .crop_height = crop.height};
  g.scaled_width = static_cast<int>(w <= h ? s : w * s / h);
  g.scaled_height = static_cast<int>(w <= h ? h * s / w : s);
  if (g.scaled_width >= crop.width && g.scaled_height >= crop.height) return g;
  // A crop that lies the other way round than the picture needs more than its own short side.
  const bool width_decides = crop.width * h >= crop.height * w;
  g.scaled_width = width_decides ? crop.width : std::max(crop.width, static_cast<int>(w * crop.height / h));
  g.scaled_height = width_decides ? std::max(crop.height, static_cast<int>(h * crop.width / w)) : crop.height;
  return g;
}

ClipGeometry stretched(const TransformSettings& settings) {
  return {.scaled_width = settings.stretch_width,
          .scaled_height = settings.stretch_height,
          .crop_width = settings.crop.width,
          .crop_height = settings.crop.height};
}

/// Torchvision's RandomResizedCrop: ten draws of an area and an aspect ratio, the first box that fits; else
/// the largest box of the nearest aspect ratio. Aspect ratios count relative to the crop's own, so that a rectangular
/// crop distorts no more than a square one. The box is rounded to pixels of the scaled picture, not of the stored one.
ClipGeometry resized_crop(const TransformSettings& s, int width, int height, Rng& rng) {
  double box_width = 0, box_height = 0;
  const double own_aspect = static_cast<double>(s.crop.width) / s.crop.height;
  constexpr int kAttempts = 10;
  for (int attempt = 0; attempt < kAttempts && box_width == 0; ++attempt) {
    const double area = rng.uniform(s.area[0], s.area[1]) * width * height;
    const double aspect = own_aspect * std::exp(rng.uniform(std::log(s.aspect[0]), std::log(s.aspect[1])));
    const double w = std::sqrt(area * aspect), h = std::sqrt(area / aspect);
    if (w <= width && h <= height) box_width = w, box_height = h;
  }
  if (box_width == 0) {
    const double aspect =
        std::clamp(static_cast<double>(width) / height, own_aspect * s.aspect[0], own_aspect * s.aspect[1]);
    box_width = std::min<double>(width, height * aspect);
    box_height = box_width / aspect;
  }
  const auto whole = [&](int side, int crop, double box) {
    return std::max(crop, static_cast<int>(std::lround(side * crop / std::max(1.0, box))));
  };
  return {.scaled_width = whole(width, s.crop.width, box_width),
          .scaled_height = whole(height, s.crop.height, box_height),
          .crop_width = s.crop.width,
          .crop_height = s.crop.height};
}

/// The whole picture, `wide` and `high` times larger than the crop.
ClipGeometry whole_frame(const TransformSettings& s, double wide, double high) {
  return {.scaled_width = static_cast<int>(std::lround(s.crop.width * wide)),
          .scaled_height = static_cast<int>(std::lround(s.crop.height * high)),
          .crop_width = s.crop.width,
          .crop_height = s.crop.height};
}

}  // namespace

std::string size_text(PictureSize size) { return text(size.height, "x", size.width); }

ShortSides short_sides(const TransformSettings& s) {
  const int side = s.crop.short_side(), eight_sevenths = (side * 8 + 6) / 7,
            ten_sevenths = (side * 10 + 6) / 7;
  ShortSides sides{s.short_side_min, s.short_side_max};
  if (sides.min == 0) sides.min = sides.max > 0 ? std::min(sides.max, eight_sevenths) : eight_sevenths;
  if (sides.max == 0) sides.max = std::max(sides.min, ten_sevenths);
  return sides;
}

void validate(const TransformSettings& s) {
  const ShortSides sides = short_sides(s);
  if (s.crop.short_side() < 1)
    throw UsageError(text("a crop of ", size_text(s.crop), " pixels is empty"), "Choose at least 1.");
  if (sides.min > sides.max)
    throw UsageError(text("the scaled short side cannot be between ", sides.min, " and ", sides.max),
                     "The first must not exceed the second.");
  if (s.rule == ScaleRule::stretch && (s.stretch_width < s.crop.width || s.stretch_height < s.crop.height))
    throw UsageError(
        text("a crop of ", size_text(s.crop), " pixels (height x width) does not fit a picture of ",
             s.stretch_width, "x", s.stretch_height, " (width x height)"),
        "Choose a smaller crop, or stretch pictures to a larger size.");
  if (!(s.area[0] > 0 && s.area[0] <= s.area[1] && s.area[1] <= 1))
    throw UsageError(
        text("a crop cannot cover a fraction between ", s.area[0], " and ", s.area[1], " of a picture"),
        "Choose two numbers above 0 and up to 1, the smaller first.");
  if (!(s.aspect[0] > 0 && s.aspect[0] <= s.aspect[1] && std::isfinite(s.aspect[1])))
    throw UsageError(text("an aspect ratio cannot be between ", s.aspect[0], " and ", s.aspect[1]),
                     "Choose two positive numbers, the smaller first.");
  if (s.rule != ScaleRule::stretch && sides.min < s.crop.short_side())
    throw UsageError(text("a crop of ", size_text(s.crop),
                          " pixels does not fit a picture scaled to a short side of ", sides.min),
                     text("Choose a short side of at least ", s.crop.short_side(), ", or a smaller crop."));
  if (!(s.zoom >= 1) || !std::isfinite(s.zoom))
    throw UsageError(text("a picture cannot be enlarged ", s.zoom, " times"), "The zoom must be at least 1.");
  if (!(s.flip >= 0 && s.flip <= 1))
    throw UsageError(text("a flip cannot have probability ", s.flip), "Choose a number from 0 to 1.");
  if (!(s.flip_vertically >= 0 && s.flip_vertically <= 1))
    throw UsageError(text("a flip cannot have probability ", s.flip_vertically),
                     "Choose a number from 0 to 1.");
  validate(s.augment);
  for (size_t c = 0; c < 3; ++c)
    if (!(s.std[c] > 0) || !std::isfinite(s.std[c]) || !std::isfinite(s.mean[c]))
      throw UsageError(
          text("values cannot be normalized with mean ", s.mean[c], " and standard deviation ", s.std[c]),
          "The standard deviation must be positive.");
}

ClipGeometry random_geometry(const TransformSettings& settings, int width, int height, Rng& rng) {
  const auto short_side = [&] {
    const auto [least, most] = short_sides(settings);
    return scaled(settings, width, height, static_cast<int>(rng.integer(least, most)));
  };
  const auto zoomed = [&] {
    const double high = rng.uniform(1, settings.zoom);
    return whole_frame(settings, rng.uniform(1, settings.zoom), high);
  };
  ClipGeometry g = settings.rule == ScaleRule::area      ? resized_crop(settings, width, height, rng)
                   : settings.rule == ScaleRule::stretch ? stretched(settings)
                   : settings.rule == ScaleRule::frame   ? zoomed()
                                                         : short_side();
  g.x = static_cast<int>(rng.integer(0, g.scaled_width - g.crop_width));
  g.y = static_cast<int>(rng.integer(0, g.scaled_height - g.crop_height));
  g.flip = rng.coin(settings.flip);
  g.flip_vertically = rng.coin(settings.flip_vertically);
  return g;
}

ClipGeometry center_geometry(const TransformSettings& settings, int width, int height) {
  ClipGeometry g = settings.rule == ScaleRule::stretch ? stretched(settings)
                   : settings.rule == ScaleRule::frame
                       ? whole_frame(settings, 1, 1)
                       : scaled(settings, width, height, short_sides(settings).min);
  const auto half = [](int slack) { return static_cast<int>(std::nearbyint(slack / 2.0)); };
  g.x = half(g.scaled_width - g.crop_width);
  g.y = half(g.scaled_height - g.crop_height);
  return g;
}

ClipGeometry evaluation_geometry(const TransformSettings& settings, int width, int height) {
  ClipGeometry g = center_geometry(settings, width, height);
  if (settings.place == CropPlace::center) return g;
  const int slack_x = g.scaled_width - g.crop_width, slack_y = g.scaled_height - g.crop_height;
  const bool wide = slack_x >= slack_y;
  (wide ? g.x : g.y) = settings.place == CropPlace::first ? 0 : wide ? slack_x : slack_y;
  return g;
}

}  // namespace laban
