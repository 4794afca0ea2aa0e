// The geometry that convolutions and pools share.
#pragma once

#include <array>

#include "core/tensor.h"

namespace laban {

/// Kernel, stride and zero padding along (t, h, w). Padding is symmetric.
struct Window {
  std::array<int64_t, 3> kernel{1, 1, 1};
  std::array<int64_t, 3> stride{1, 1, 1};
  std::array<int64_t, 3> padding{0, 0, 0};

  /// Output extent along one axis: floor((in + 2p - k) / s) + 1; 0 or less where the kernel does not fit.
  constexpr int64_t extent(int axis, int64_t in) const {
    const int64_t space = in + 2 * padding[axis] - kernel[axis];
    return space < 0 ? 0 : space / stride[axis] + 1;
  }
  /// Output shape for input `x` and `channels` output channels.
  constexpr Shape output(const Shape& x, int64_t channels) const {
    return {x.n, channels, extent(0, x.t), extent(1, x.h), extent(2, x.w)};
  }
  constexpr int64_t volume() const { return kernel[0] * kernel[1] * kernel[2]; }
  friend constexpr bool operator==(const Window&, const Window&) = default;
};

/// "3x3x3 s1x2x2 p1x1x1"
inline std::ostream& operator<<(std::ostream& out, const Window& v) {
  const auto triple = [&](const std::array<int64_t, 3>& a) { out << a[0] << 'x' << a[1] << 'x' << a[2]; };
  triple(v.kernel);
  out << " s", triple(v.stride);
  out << " p", triple(v.padding);
  return out;
}

}  // namespace laban
