// Scale, crop and flip of a clip.
#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "data/transforms.h"

namespace laban {
namespace {

ClipGeometry scaled(const TransformSettings& settings, int width, int height, int short_side) {
  require(width > 0 && height > 0, "geometry: an empty picture");
  const int64_t w = width, h = height, s = short_side;
  ClipGeometry g{.crop_width = settings.crop, .crop_height = settings.crop};
  g.scaled_width = static_cast<int>(w <= h ? s : w * s / h);
  g.scaled_height = static_cast<int>(w <= h ? h * s / w : s);
  return g;
}

}  // namespace

void check(const TransformSettings& s) {
  if (s.crop < 1) throw UsageError(text("a crop of ", s.crop, " pixels is empty"), "Choose at least 1.");
  if (s.short_side_min > s.short_side_max)
    throw UsageError(
        text("the scaled short side cannot lie between ", s.short_side_min, " and ", s.short_side_max),
        "The first must not exceed the second.");
  if (s.short_side_min < s.crop)
    throw UsageError(text("a crop of ", s.crop, " pixels does not fit a picture scaled to a short side of ",
                          s.short_side_min),
                     text("Choose a short side of at least ", s.crop, ", or a smaller crop."));
  if (!(s.flip >= 0 && s.flip <= 1))
    throw UsageError(text("a flip cannot have probability ", s.flip), "Choose a number from 0 to 1.");
  for (size_t c = 0; c < 3; ++c)
    if (!(s.std[c] > 0) || !std::isfinite(s.std[c]) || !std::isfinite(s.mean[c]))
      throw UsageError(text("values cannot be normalised with mean ", s.mean[c], " and deviation ", s.std[c]),
                       "The deviation must be positive.");
}

ClipGeometry random_geometry(const TransformSettings& settings, int width, int height, Rng& rng) {
  const int side = static_cast<int>(rng.integer(settings.short_side_min, settings.short_side_max));
  ClipGeometry g = scaled(settings, width, height, side);
  g.x = static_cast<int>(rng.integer(0, g.scaled_width - g.crop_width));
  g.y = static_cast<int>(rng.integer(0, g.scaled_height - g.crop_height));
  g.flip = rng.coin(settings.flip);
  return g;
}

ClipGeometry center_geometry(const TransformSettings& settings, int width, int height) {
  ClipGeometry g = scaled(settings, width, height, settings.short_side_min);
  const auto half = [](int room) { return static_cast<int>(std::nearbyint(room / 2.0)); };
  g.x = half(g.scaled_width - g.crop_width);
  g.y = half(g.scaled_height - g.crop_height);
  return g;
}

}  // namespace laban
