// Mixing two clips, and their targets.
//
//   mixup (Zhang et al., ICLR 2018)     y = s x + (1-s) x'                             everywhere
//   cutmix (Yun et al., ICCV 2019)      y = x' inside a box, x outside; s = 1 - box area / frame area
//   both                                target = s onehot(label) + (1-s) onehot(label')
//
// In a video, the box is the same in all frames (which VideoMix, Yun et al. 2020, found to work best).
#pragma once

#include <cmath>
#include <cstdint>

#include "math/hd.h"

namespace laban {

/// One value of a mixed clip.
template <class Real>
LABAN_HD constexpr Real blend(Real value, Real other, Real fraction) {
  return fraction * value + (Real(1) - fraction) * other;
}

/// Bottom and right are exclusive; the box is empty if bottom <= top.
struct MixBox {
  int32_t top = 0, left = 0, bottom = 0, right = 0;

  LABAN_HD constexpr bool holds(int64_t row, int64_t column) const {
    return row >= top && row < bottom && column >= left && column < right;
  }
};
static_assert(sizeof(MixBox) == 4 * sizeof(int32_t));

/// A box that covers about 1 - fraction of a frame, with the frame's aspect ratio, around a center given by
/// `u` and `v` in [0, 1); clipped to the frame.
inline MixBox box_for(double fraction, int64_t height, int64_t width, double u, double v) {
  const double side = std::sqrt(1 - fraction);
  const auto edges = [side](int64_t extent, double where, int32_t& low, int32_t& high) {
    const auto length = static_cast<int64_t>(side * static_cast<double>(extent));
    const auto center = static_cast<int64_t>(where * static_cast<double>(extent));
    const int64_t begin = center - length / 2, end = begin + length;
    low = static_cast<int32_t>(begin < 0 ? 0 : begin);
    high = static_cast<int32_t>(end > extent ? extent : end);
  };
  MixBox box;
  edges(height, u, box.top, box.bottom);
  edges(width, v, box.left, box.right);
  return box;
}

/// The fraction of a frame outside a box.
inline double fraction_outside(const MixBox& box, int64_t height, int64_t width) {
  const auto area = static_cast<double>((box.bottom - box.top) * (box.right - box.left));
  return 1 - area / static_cast<double>(height * width);
}

}  // namespace laban
