// The random draws. RandAugment's ranges are those of its published implementations: 31 linear magnitudes.
#include "data/clip/augment.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"

namespace laban {
namespace {

constexpr int kMagnitudes = 31;

/// RandAugment's op of a given kind at magnitude m in 0..30, for clips of this size; `sign` is -1 or 1.
AugmentOp rand_op(AugmentKind kind, int m, double sign, int width, int height) {
  const double strength = m / static_cast<double>(kMagnitudes - 1);
  switch (kind) {
    case AugmentKind::brightness:
    case AugmentKind::contrast:
    case AugmentKind::saturation:
    case AugmentKind::sharpness:
      return {kind, 1 + sign * 0.9 * strength};
    case AugmentKind::posterize:
      return {kind, 8 - std::round(4 * strength)};
    case AugmentKind::solarize:
      return {kind, 255 * (1 - strength)};
    case AugmentKind::shear_x:
    case AugmentKind::shear_y:
      return {kind, sign * 0.3 * strength};
    case AugmentKind::translate_x:
      return {kind, sign * 150.0 / 331 * width * strength};
    case AugmentKind::translate_y:
      return {kind, sign * 150.0 / 331 * height * strength};
    case AugmentKind::rotate:
      return {kind, sign * 30 * strength};
    default:
      return {kind, 0};
  }
}

constexpr std::array kRandKinds{AugmentKind::identity,      AugmentKind::shear_x,     AugmentKind::shear_y,
                                AugmentKind::translate_x,   AugmentKind::translate_y, AugmentKind::rotate,
                                AugmentKind::brightness,    AugmentKind::saturation,  AugmentKind::contrast,
                                AugmentKind::sharpness,     AugmentKind::posterize,   AugmentKind::solarize,
                                AugmentKind::auto_contrast, AugmentKind::equalize};

void draw_erasing(ClipAugment& to, int width, int height, Rng& rng) {
  constexpr int kAttempts = 10;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const double area = rng.uniform(0.02, 0.33) * width * height;
    const double aspect = std::exp(rng.uniform(std::log(0.3), std::log(1 / 0.3)));  // height to width
    const int h = static_cast<int>(std::lround(std::sqrt(area * aspect)));
    const int w = static_cast<int>(std::lround(std::sqrt(area / aspect)));
    if (w < 1 || h < 1 || w >= width || h >= height) continue;
    to.erase_w = w, to.erase_h = h;
    to.erase_x = static_cast<int>(rng.integer(0, width - w));
    to.erase_y = static_cast<int>(rng.integer(0, height - h));
    return;
  }
}

}  // namespace

void validate(const AugmentSettings& s) {
  const auto in_range = [](double value, double high, const char* what) {
    if (!(value >= 0 && value <= high))
      throw UsageError(text(what, " is ", value, "; it must be between 0 and ", high));
  };
  in_range(s.brightness, 10, "the brightness jitter");
  in_range(s.contrast, 10, "the contrast jitter");
  in_range(s.saturation, 10, "the saturation jitter");
  in_range(s.hue, 0.5, "the hue jitter");
  in_range(s.rand_augment, 14, "the number of RandAugment ops");
  in_range(s.rand_magnitude, kMagnitudes - 1, "the RandAugment magnitude");
  in_range(s.erase, 1, "the probability of random erasing");
}

ClipAugment random_augment(const AugmentSettings& s, int width, int height, Rng& rng) {
  ClipAugment augment;
  const auto jitter = [&](AugmentKind kind, double range) {
    if (range > 0) augment.ops.push_back({kind, rng.uniform(std::max(0.0, 1 - range), 1 + range)});
  };
  jitter(AugmentKind::brightness, s.brightness);
  jitter(AugmentKind::contrast, s.contrast);
  jitter(AugmentKind::saturation, s.saturation);
  if (s.hue > 0) augment.ops.push_back({AugmentKind::hue, rng.uniform(-s.hue, s.hue)});
  rng.shuffle(augment.ops);
  for (int i = 0; i < s.rand_augment; ++i) {
    const AugmentKind kind = kRandKinds[static_cast<size_t>(rng.integer(0, kRandKinds.size() - 1))];
    augment.ops.push_back(rand_op(kind, s.rand_magnitude, rng.coin(0.5) ? -1 : 1, width, height));
  }
  if (rng.coin(s.erase)) draw_erasing(augment, width, height, rng);
  return augment;
}

}  // namespace laban
