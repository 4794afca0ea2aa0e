// The ops on one frame. All work on real numbers in 0..255 and clamp to that; those that are defined on bytes
// (posterize, equalize) round down to bytes first.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "data/clip/augment.h"

namespace laban {
namespace {

float clamped(float value) { return std::min(255.0f, std::max(0.0f, value)); }

/// BT.601 weights, as used by image libraries.
float gray(const float* p) { return 0.299f * p[0] + 0.587f * p[1] + 0.114f * p[2]; }

/// factor * value + (1 - factor) * other: beyond the value where factor > 1.
float mixed(float value, float other, float factor) { return clamped(other + factor * (value - other)); }

float mean_gray(const float* rgb, int64_t pixels) {
  double sum = 0;
  for (int64_t i = 0; i < pixels; ++i) sum += gray(rgb + 3 * i);
  return static_cast<float>(sum / static_cast<double>(pixels));
}

/// Rotates the hue in the hexcone model (HSV) by `turns`; value and saturation are unchanged.
void turn_hue(float* p, float turns) {
  const float high = std::max({p[0], p[1], p[2]}), low = std::min({p[0], p[1], p[2]}), range = high - low;
  if (range <= 0) return;
  const float sector = high == p[0]   ? (p[1] - p[2]) / range
                       : high == p[1] ? (p[2] - p[0]) / range + 2
                                      : (p[0] - p[1]) / range + 4;
  // Sectors 0..6 around the circle.
  const float hue = sector + 6 * turns;
  const auto channel = [&](float offset) {
    float k = std::fmod(offset + hue, 6.0f);
    if (k < 0) k += 6;
    return high - range * std::clamp(std::min(k, 4 - k), 0.0f, 1.0f);
  };
  const float red = channel(5), green = channel(3), blue = channel(1);
  p[0] = red, p[1] = green, p[2] = blue;
}

void stretch_contrast(float* rgb, int64_t pixels) {
  for (int c = 0; c < 3; ++c) {
    float low = 255, high = 0;
    for (int64_t i = 0; i < pixels; ++i)
      low = std::min(low, rgb[3 * i + c]), high = std::max(high, rgb[3 * i + c]);
    if (high <= low) continue;
    const float scale = 255 / (high - low);
    for (int64_t i = 0; i < pixels; ++i) rgb[3 * i + c] = clamped((rgb[3 * i + c] - low) * scale);
  }
}

/// Pillow's ImageOps.equalize, channel by channel.
void equalize(float* rgb, int64_t pixels) {
  for (int c = 0; c < 3; ++c) {
    std::array<int64_t, 256> count{};
    for (int64_t i = 0; i < pixels; ++i) ++count[static_cast<size_t>(rgb[3 * i + c])];
    int64_t last = 0, different = 0;
    for (const int64_t n : count)
      if (n > 0) last = n, ++different;
    const int64_t step = (pixels - last) / 255;
    if (different < 2 || step == 0) continue;
    std::array<float, 256> to{};
    int64_t sum = step / 2;
    for (size_t v = 0; v < 256; ++v) {
      to[v] = static_cast<float>(std::min<int64_t>(255, sum / step));
      sum += count[v];
    }
    for (int64_t i = 0; i < pixels; ++i) rgb[3 * i + c] = to[static_cast<size_t>(rgb[3 * i + c])];
  }
}

}  // namespace

/// Blends with the picture smoothed by [1 1 1; 1 5 1; 1 1 1]/13; the outermost pixels are unchanged.
void Augmenter::blend_sharp(float* rgb, int width, int height, float factor) {
  copy_.assign(rgb, rgb + int64_t{3} * width * height);
  const int64_t line = int64_t{3} * width;
  for (int y = 1; y + 1 < height; ++y)
    for (int64_t i = y * line + 3; i < (y + 1) * line - 3; ++i) {
      const float* const p = &copy_[static_cast<size_t>(i)];
      const float around =
          p[-line - 3] + p[-line] + p[-line + 3] + p[-3] + p[3] + p[line - 3] + p[line] + p[line + 3];
      rgb[i] = mixed(p[0], (around + 5 * p[0]) / 13, factor);
    }
}

/// Output pixel (x, y), with centers at integers, is the bilinear sample at (a x + b y + c, d x + e y + f).
void Augmenter::warp(float* rgb, int width, int height, const double (&m)[6], const float* fill) {
  copy_.assign(rgb, rgb + int64_t{3} * width * height);
  const auto sample = [&](int x, int y) {
    const bool inside = x >= 0 && x < width && y >= 0 && y < height;
    return inside ? &copy_[(static_cast<size_t>(y) * static_cast<size_t>(width) + static_cast<size_t>(x)) * 3]
                  : fill;
  };
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x, rgb += 3) {
      // More than one pixel outside, there is only fill; clamping also keeps the integers from overflowing.
      const double u = std::clamp(m[0] * x + m[1] * y + m[2], -1.0, static_cast<double>(width));
      const double v = std::clamp(m[3] * x + m[4] * y + m[5], -1.0, static_cast<double>(height));
      const int left = static_cast<int>(std::floor(u)), top = static_cast<int>(std::floor(v));
      const auto fx = static_cast<float>(u - left), fy = static_cast<float>(v - top);
      const float *a = sample(left, top), *b = sample(left + 1, top), *c = sample(left, top + 1),
                  *d = sample(left + 1, top + 1);
      for (int k = 0; k < 3; ++k)
        rgb[k] = (a[k] * (1 - fx) + b[k] * fx) * (1 - fy) + (c[k] * (1 - fx) + d[k] * fx) * fy;
    }
}

void Augmenter::apply(const AugmentOp& op, float* rgb, int width, int height, const float* fill) {
  const int64_t pixels = int64_t{width} * height, values = 3 * pixels;
  const auto amount = static_cast<float>(op.amount);
  switch (op.kind) {
    case AugmentKind::identity:
      return;
    case AugmentKind::brightness:
      for (int64_t i = 0; i < values; ++i) rgb[i] = clamped(amount * rgb[i]);
      return;
    case AugmentKind::contrast: {
      const float mean = mean_gray(rgb, pixels);
      for (int64_t i = 0; i < values; ++i) rgb[i] = mixed(rgb[i], mean, amount);
      return;
    }
    case AugmentKind::saturation:
      for (int64_t i = 0; i < pixels; ++i) {
        float* const p = rgb + 3 * i;
        const float own = gray(p);
        for (int c = 0; c < 3; ++c) p[c] = mixed(p[c], own, amount);
      }
      return;
    case AugmentKind::sharpness:
      return blend_sharp(rgb, width, height, amount);
    case AugmentKind::hue:
      for (int64_t i = 0; i < pixels; ++i) turn_hue(rgb + 3 * i, amount);
      return;
    case AugmentKind::posterize: {
      const int mask = 0xff & ~((1 << (8 - static_cast<int>(op.amount))) - 1);
      for (int64_t i = 0; i < values; ++i) rgb[i] = static_cast<float>(static_cast<int>(rgb[i]) & mask);
      return;
    }
    case AugmentKind::solarize:
      for (int64_t i = 0; i < values; ++i)
        if (rgb[i] >= amount) rgb[i] = 255 - rgb[i];
      return;
    case AugmentKind::auto_contrast:
      return stretch_contrast(rgb, pixels);
    case AugmentKind::equalize:
      return equalize(rgb, pixels);
    case AugmentKind::shear_x:
      return warp(rgb, width, height, {1, op.amount, 0, 0, 1, 0}, fill);
    case AugmentKind::shear_y:
      return warp(rgb, width, height, {1, 0, 0, op.amount, 1, 0}, fill);
    case AugmentKind::translate_x:
      return warp(rgb, width, height, {1, 0, -op.amount, 0, 1, 0}, fill);
    case AugmentKind::translate_y:
      return warp(rgb, width, height, {1, 0, 0, 0, 1, -op.amount}, fill);
    case AugmentKind::rotate: {
      const double angle = op.amount * std::numbers::pi / 180, c = std::cos(angle), s = std::sin(angle);
      const double x = (width - 1) / 2.0, y = (height - 1) / 2.0;
      return warp(rgb, width, height, {c, s, x - c * x - s * y, -s, c, y + s * x - c * y}, fill);
    }
  }
}

}  // namespace laban
