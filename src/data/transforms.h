// Where to look in a frame: chosen once per clip, the same for all its frames.
#pragma once

#include <array>
#include <span>

#include "core/rng.h"
#include "core/tensor.h"
#include "data/frame.h"

namespace laban {

struct TransformSettings {
  int short_side_min = 128, short_side_max = 160;  // RandomShortSideScale: integer, uniform, inclusive; evaluation uses the minimum
  int crop = 112;
  double flip = 0.5;  // RandomHorizontalFlip
  std::array<float, 3> mean{0.45f, 0.45f, 0.45f}, std{0.225f, 0.225f, 0.225f};
};

/// Scale the shown picture to scaled_width x scaled_height, take crop x crop at (x, y), mirror if flip.
struct ClipGeometry {
  int scaled_width = 0, scaled_height = 0;
  int x = 0, y = 0, crop_width = 0, crop_height = 0;
  bool flip = false;
};
ClipGeometry random_geometry(const TransformSettings& settings, int width, int height, Rng& rng);
ClipGeometry center_geometry(const TransformSettings& settings, int width, int height);

/// One pass from planes to the network's input: colour conversion, antialiased bilinear resize of only the
/// crop's pixels, flip, (value/255 - mean)/std. Writes frames.size() x crop_height x crop_width x 3 values at `out` (f32).
void frames_to_input(std::span<const Frame> frames, const ClipGeometry& geometry, const TransformSettings& settings,
                     float* out);

}  // namespace laban
