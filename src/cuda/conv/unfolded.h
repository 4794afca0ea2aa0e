// A stem's convolution with few zeros. A clip has 3 channels and is padded to 8: of the products of a 7x7x7
// stem more than half are with zeros, and it is a quarter of a 3-D ResNet's arithmetic. Laid side by side as
// channels, the 7 taps along a row take 7*3 = 21 of 24:
//
//   u[n,t,h,wo, tap*3 + c] = x[n,t,h, wo*stride + tap - padding, c]
//   v[o,kt,kh,0, tap*3 + c] = w[o,kt,kh, tap, c]
//
// and y = conv(x, w) is conv(u, v) with a kernel of 7x7x1: 2.3 times fewer products, for a u that is 1.5
// times the padded clip and is made anew in each pass. The gradient of v is the gradient of w, laid out so.
#pragma once

#include <optional>

#include "core/conv_geometry.h"

namespace laban::cuda {

/// The geometry of that convolution, where it has at most half the products of `g`: `channels` of x are its
/// own, the rest zeros. Channels are padded to multiples of `multiple` again.
inline std::optional<ConvGeometry> unfolded(const ConvGeometry& g, int64_t channels, int64_t multiple) {
  const auto& [kernel, stride, padding] = g.window;
  if (channels <= 0 || channels >= g.x.c || kernel[2] == 1) return std::nullopt;
  const int64_t packed = (kernel[2] * channels + multiple - 1) / multiple * multiple;
  if (2 * packed > kernel[2] * g.x.c) return std::nullopt;
  return ConvGeometry{{g.x.n, packed, g.x.t, g.x.h, g.y.w},
                      g.y,
                      {{kernel[0], kernel[1], 1}, {stride[0], stride[1], 1}, {padding[0], padding[1], 0}}};
}

}  // namespace laban::cuda
