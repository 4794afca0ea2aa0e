// Augmentation of training clips beyond scale, crop and flip: color jitter, RandAugment, random erasing.
// Drawn once per clip and the same for all its frames. Defined in docs/data.md.
#pragma once

#include <cstdint>
#include <vector>

#include "core/rng.h"

namespace laban {

struct AugmentSettings {
  /// Color jitter: a factor uniform in [max(0, 1 - x), 1 + x], in random order; hue: rotated by up to x of a
  /// full turn, at most 1/2. 0: unchanged.
  double brightness = 0, contrast = 0, saturation = 0, hue = 0;
  int rand_augment = 0;    // ops drawn for each clip (Cubuk et al. 2020); 0: none
  int rand_magnitude = 9;  // 0..30
  double erase = 0;        // probability of random erasing (Zhong et al. 2020)
  bool operator==(const AugmentSettings&) const = default;

  bool active() const {
    return brightness > 0 || contrast > 0 || saturation > 0 || hue > 0 || rand_augment > 0 || erase > 0;
  }
};

/// UsageError if these are invalid.
void validate(const AugmentSettings& settings);

enum class AugmentKind : uint8_t {
  identity,
  brightness,     // amount: factor
  contrast,       // factor
  saturation,     // factor
  sharpness,      // factor
  hue,            // turns
  posterize,      // bits kept
  solarize,       // values from here on are inverted
  auto_contrast,  // no amount
  equalize,       // no amount
  shear_x,        // columns per row
  shear_y,        // rows per column
  translate_x,    // pixels
  translate_y,
  rotate,  // degrees clockwise
};

struct AugmentOp {
  AugmentKind kind = AugmentKind::identity;
  double amount = 0;
  bool operator==(const AugmentOp&) const = default;
};

/// The random draws for one clip.
struct ClipAugment {
  std::vector<AugmentOp> ops;                              // in order
  int erase_x = 0, erase_y = 0, erase_w = 0, erase_h = 0;  // nothing if erase_w is 0
};

/// For clips of width x height pixels.
ClipAugment random_augment(const AugmentSettings& settings, int width, int height, Rng& rng);

/// Applies ops to a frame: height x width x 3 values in 0..255, R, G, B innermost. Reuses its buffer.
class Augmenter {
 public:
  /// `fill`: the color of pixels from outside the frame (3 values).
  void apply(const AugmentOp& op, float* rgb, int width, int height, const float* fill);

 private:
  void blend_sharp(float* rgb, int width, int height, float factor);
  void warp(float* rgb, int width, int height, const double (&from)[6], const float* fill);

  std::vector<float> copy_;
};

}  // namespace laban
