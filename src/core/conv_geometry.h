// A convolution's geometry, and the same convolution with fewer dimensions.
#pragma once

#include <array>

#include "core/window.h"

namespace laban {

struct ConvGeometry {
  Shape x, y;
  Window window;

  /// All numbers that matter, in a fixed order: a key to look things up by.
  std::array<int64_t, 19> key() const {
    return {x.n,
            x.c,
            x.t,
            x.h,
            x.w,
            y.c,
            y.t,
            y.h,
            y.w,
            window.kernel[0],
            window.kernel[1],
            window.kernel[2],
            window.stride[0],
            window.stride[1],
            window.stride[2],
            window.padding[0],
            window.padding[1],
            window.padding[2],
            y.n};
  }
  friend bool operator==(const ConvGeometry&, const ConvGeometry&) = default;
};

/// The same convolution over the same memory, as two-dimensional as can be. In NDHWC order neighboring
/// dimensions can be merged where the kernel does not look along one of them:
///
///   1 x k x k    frames are independent: n*t images, h x w              (t = 1)
///   k x 1 x 1    places are independent: an image of t rows, h*w columns (t -> h, h*w -> w, t = 1)
///   1 x 1 x 1    both: one long row of places
///
/// 2-D convolutions have better kernels in cuDNN, and more algorithms on the CPU.
inline ConvGeometry folded(const ConvGeometry& g) {
  const auto& [kernel, stride, padding] = g.window;
  const auto looks_at_one = [&](int axis) {
    return kernel[axis] == 1 && stride[axis] == 1 && padding[axis] == 0;
  };
  ConvGeometry f = g;
  if (looks_at_one(1) && looks_at_one(2)) {
    f.x = {g.x.n, g.x.c, 1, g.x.t, g.x.h * g.x.w};
    f.y = {g.y.n, g.y.c, 1, g.y.t, g.y.h * g.y.w};
    f.window = {{1, kernel[0], 1}, {1, stride[0], 1}, {0, padding[0], 0}};
    if (looks_at_one(0)) {
      f.x = {1, g.x.c, 1, 1, g.x.pixels()};
      f.y = {1, g.y.c, 1, 1, g.y.pixels()};
    }
  } else if (looks_at_one(0)) {
    f.x = {g.x.n * g.x.t, g.x.c, 1, g.x.h, g.x.w};
    f.y = {g.y.n * g.y.t, g.y.c, 1, g.y.h, g.y.w};
  }
  return f;
}

/// Whether nothing is left of the first spatial dimension, so that the convolution is 2-D.
inline bool is_planar(const ConvGeometry& g) {
  return g.x.t == 1 && g.y.t == 1 && g.window.kernel[0] == 1 && g.window.padding[0] == 0;
}

/// Whether each place of y looks at its own place of x and no other: a matrix product of places x channels.
inline bool is_pointwise(const ConvGeometry& g) { return g.window == Window{}; }

}  // namespace laban
