// Which part of a frame is used: scale, crop and flip, chosen once per clip and the same for all its frames.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "core/rng.h"
#include "data/clip/augment.h"

namespace laban {

/// The height and width of a clip's pictures. A single number stands for a square.
struct PictureSize {
  int height = 0, width = 0;
  constexpr PictureSize(int side = 0) : height(side), width(side) {}
  constexpr PictureSize(int h, int w) : height(h), width(w) {}
  constexpr int short_side() const { return height < width ? height : width; }
  constexpr bool square() const { return height == width; }
  bool operator==(const PictureSize&) const = default;
};
/// "56x56", "72x96": height first, as in the shapes of clips.
std::string size_text(PictureSize size);

/// How a picture is scaled before it is cropped.
enum class ScaleRule : uint8_t {
  short_side,  // RandomShortSideScale: the short side becomes a size of short_side_min..short_side_max
  area,        // RandomResizedCrop: the crop covers a fraction of the picture's area, with some aspect ratio
  stretch,     // every picture becomes stretch_width x stretch_height, whatever its aspect ratio
  frame,       // the whole picture becomes the crop; in training up to `zoom` times larger
};

/// Where evaluation crops: the middle, or an end of the longer side (left or top; right or bottom).
enum class CropPlace : uint8_t { center, first, last };

struct TransformSettings {
  ScaleRule rule = ScaleRule::short_side;
  /// Integer, uniform, inclusive; evaluation uses the minimum (also with `area`). 0: short_sides()
  /// chooses.
  int short_side_min = 0, short_side_max = 0;
  std::array<double, 2> area{0.08, 1};  // of the picture, least and largest
  std::array<double, 2> aspect{3.0 / 4,
                               4.0 / 3};  // width to height of a square crop's box, least and largest
  int stretch_width = 171, stretch_height = 128;
  double zoom = 1.2;  // frame: the most that training enlarges width and height, each on its own; at least 1
  PictureSize crop = 56;
  CropPlace place = CropPlace::center;  // evaluation
  double flip = 0.5;                    // RandomHorizontalFlip
  double flip_vertically = 0;           // RandomVerticalFlip
  AugmentSettings augment{};
  std::array<float, 3> mean{0.45f, 0.45f, 0.45f}, std{0.225f, 0.225f, 0.225f};
  bool operator==(const TransformSettings&) const = default;
};

/// The bounds of the short side: those that are set; in place of 0 at least 8/7 and at most 10/7 of the crop's
/// short side, as in the papers (128 to 160 for 112).
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
/// Random scale, crop position and flips for a displayed picture of width x height.
///   short_side  the short side becomes the drawn size, the long side floor(long * size / short); where a
///               rectangular crop does not fit then, the picture gets the smallest size in which it does
///   area        a box of the drawn area and aspect ratio (times the crop's own) becomes the crop
///   frame       scaled to round(crop * z), z uniform in [1, zoom], drawn for height and width
ClipGeometry random_geometry(const TransformSettings& settings, int width, int height, Rng& rng);
/// The smallest scale (with `frame` the whole picture), the center (offset (scaled - crop)/2, halves rounded to even),
/// no flips.
ClipGeometry center_geometry(const TransformSettings& settings, int width, int height);
/// The same, but with settings.place selecting the position along the side with more room. With `frame` there is none.
ClipGeometry evaluation_geometry(const TransformSettings& settings, int width, int height);

}  // namespace laban
