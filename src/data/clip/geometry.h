// Which part of a frame is used: scale, crop and flip, chosen once per clip and the same for all its frames.
#pragma once

#include <array>
#include <cstdint>

#include "core/rng.h"
#include "data/clip/augment.h"

namespace laban {

/// How a picture is scaled before it is cropped to a square.
enum class ScaleRule : uint8_t {
  short_side,  // RandomShortSideScale: the short side becomes a size of short_side_min..short_side_max
  area,        // RandomResizedCrop: the crop covers a fraction of the picture's area, with some aspect ratio
  stretch,     // every picture becomes stretch_width x stretch_height, whatever its aspect ratio
};

/// Where evaluation crops: the middle, or an end of the longer side (left or top; right or bottom).
enum class CropPlace : uint8_t { center, first, last };

struct TransformSettings {
  ScaleRule rule = ScaleRule::short_side;
  /// Integer, uniform, inclusive; evaluation uses the minimum (also with `area`). 0: short_sides()
  /// chooses.
  int short_side_min = 0, short_side_max = 0;
  std::array<double, 2> area{0.08, 1};             // of the picture, least and largest
  std::array<double, 2> aspect{3.0 / 4, 4.0 / 3};  // width to height, least and largest
  int stretch_width = 171, stretch_height = 128;
  int crop = 56;
  CropPlace place = CropPlace::center;  // evaluation
  double flip = 0.5;                    // RandomHorizontalFlip
  double flip_vertically = 0;           // RandomVerticalFlip
  AugmentSettings augment{};
  std::array<float, 3> mean{0.45f, 0.45f, 0.45f}, std{0.225f, 0.225f, 0.225f};
  bool operator==(const TransformSettings&) const = default;
};

/// The bounds of the short side: those that are set; in place of 0 at least 8/7 and at most 10/7 of the crop,
/// as in the papers (128 to 160 for 112).
struct ShortSides {
  int min = 0, max = 0;
};
ShortSides short_sides(const TransformSettings& settings);

/// UsageError if these are invalid (a crop larger than the scaled picture, a standard deviation of zero).
void validate(const TransformSettings& settings);

/// Scale the displayed picture to scaled_width x scaled_height, crop crop_width x crop_height at (x, y), and
/// flip it horizontally if flip, vertically if flip_vertically.
struct ClipGeometry {
  int scaled_width = 0, scaled_height = 0;
  int x = 0, y = 0, crop_width = 0, crop_height = 0;
  bool flip = false, flip_vertically = false;
};
/// Random scale, crop position and flips for a displayed picture of width x height. The short side becomes
/// the drawn size, the long side floor(long * size / short).
ClipGeometry random_geometry(const TransformSettings& settings, int width, int height, Rng& rng);
/// The smallest scale, the center (offset (scaled - crop)/2, halves rounded to even), no flips.
ClipGeometry center_geometry(const TransformSettings& settings, int width, int height);
/// The same, but with settings.place selecting the position along the longer side.
ClipGeometry evaluation_geometry(const TransformSettings& settings, int width, int height);

}  // namespace laban
