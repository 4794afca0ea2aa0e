// A pixel of the network's input, from a decoded frame: antialiased bilinear resizing of its planes, then
// color.
//
// A scaled sample X of an axis of N samples, scaled to S, lies at c = (X + 1/2) N/S among sample centers j +
// 1/2. Its value is the mean of the samples under a triangle of half-width f = max(1, N/S) around c:
// weight(j) = max(0, 1 - |j + 1/2 - c|/f), divided by the sum of the weights that lie inside the picture (the
// convention of Pillow's and PyTorch's antialiased bilinear resize). Subsampled chroma has N/2 samples for N,
// each centered on its two luma samples.
#pragma once

#include <cstdint>

#include "math/hd.h"

namespace laban {

/// The bytes of one plane, or of the part that the crop needs.
struct FramePlane {
  int64_t begin = 0;              // offset in bytes of the part's first sample in the batch's buffer
  int32_t stride = 0;             // bytes from row to row
  int32_t width = 0, height = 0;  // samples of the whole plane
  int32_t left = 0, top = 0;      // position of the part in the plane
};

/// What the samples mean.
enum class FrameKind : int32_t { gray, yuv, rgb };  // rgb: one plane, R G B side by side

/// R = y(Y) + vr*(V-128), G = y(Y) + ug*(U-128) + vg*(V-128), B = y(Y) + ub*(U-128) with y(Y) = gain*Y +
/// offset, in 0..255 (ITU-T H.273). Not used for rgb.
struct FrameColor {
  float gain = 1, offset = 0, vr = 0, ug = 0, vg = 0, ub = 0;
};

/// Where a frame is stored and how the network sees it. Plain numbers, as an array of these goes to a
/// backend's memory.
struct FramePlacement {
  FramePlane planes[3];
  FrameKind kind = FrameKind::yuv;
  int32_t chroma_x = 1, chroma_y = 1;  // luma samples per chroma sample
  double ratio_x = 1, ratio_y = 1;     // luma samples per scaled sample
  int32_t row = 0, column = 0;         // the crop's corner in the scaled picture as stored
  // Rotation, mirror and flip: pixel (i, j) of the clip is sample base + i*down + j*right of the crop as
  // stored, whose rows have `columns` samples.
  int32_t columns = 1;
  int32_t base = 0, down = 0, right = 0;
  FrameColor color;
};

/// The samples [first, last] of an axis under the triangle of one scaled sample, and their weights.
template <class Real>
struct TriangleWindow {
  int first, last;
  // scale = 1 / half-width. The center is relative to `first`: an absolute position in a large picture would
  // leave few bits of a float for the fraction, on which the weights depend.
  Real center, scale;

  LABAN_HD TriangleWindow(int scaled, double ratio, int samples) {
    const double middle = (scaled + 0.5) * ratio, half = ratio > 1 ? ratio : 1;
    const auto low = static_cast<int>(middle - half), high = static_cast<int>(middle + half);
    first = low < 0 || middle < half ? 0 : low;
    last = high > samples - 1 ? samples - 1 : high;
    if (first > last) first = last;
    center = static_cast<Real>(middle - 0.5 - first);
    scale = static_cast<Real>(1 / half);
  }
  LABAN_HD Real weight(int sample) const {
    const Real distance = (static_cast<Real>(sample - first) - center) * scale;
    const Real height = Real(1) - (distance < Real(0) ? -distance : distance);
    return height > Real(0) ? height : Real(0);
  }
  LABAN_HD Real total() const {
    Real sum = 0;
    for (int sample = first; sample <= last; ++sample) sum += weight(sample);
    return sum;
  }
};

/// The plane's value at a scaled sample: channel `channel` of `channels` interleaved ones.
template <class Real>
LABAN_HD Real resampled(const uint8_t* bytes, const FramePlane& plane, const TriangleWindow<Real>& rows,
                        const TriangleWindow<Real>& columns, int channels, int channel) {
  Real sum = 0;
  for (int y = rows.first; y <= rows.last; ++y) {
    const uint8_t* const line =
        bytes + plane.begin + static_cast<int64_t>(y - plane.top) * plane.stride + channel;
    Real row = 0;
    for (int x = columns.first; x <= columns.last; ++x)
      row += columns.weight(x) * static_cast<Real>(line[static_cast<int64_t>(x - plane.left) * channels]);
    sum += rows.weight(y) * row;
  }
  return sum / (rows.total() * columns.total());
}

template <class Real>
struct Rgb {
  Real r, g, b;
};

/// Pixel (i, j) of the clip, 0..255 each.
template <class Real>
LABAN_HD Rgb<Real> frame_pixel(const uint8_t* bytes, const FramePlacement& frame, int i, int j) {
  const auto clamped = [](Real value) {
    return value < Real(0) ? Real(0) : value > Real(255) ? Real(255) : value;
  };
  const int place = frame.base + i * frame.down + j * frame.right;
  const int row = frame.row + place / frame.columns, column = frame.column + place % frame.columns;
  const FramePlane& luma = frame.planes[0];
  const TriangleWindow<Real> rows(row, frame.ratio_y, luma.height),
      columns(column, frame.ratio_x, luma.width);
  if (frame.kind == FrameKind::rgb)
    return {clamped(resampled(bytes, luma, rows, columns, 3, 0)),
            clamped(resampled(bytes, luma, rows, columns, 3, 1)),
            clamped(resampled(bytes, luma, rows, columns, 3, 2))};
  const FrameColor& m = frame.color;
  const Real y =
      resampled(bytes, luma, rows, columns, 1, 0) * static_cast<Real>(m.gain) + static_cast<Real>(m.offset);
  if (frame.kind == FrameKind::gray) return {clamped(y), clamped(y), clamped(y)};
  const FramePlane& chroma = frame.planes[1];
  const TriangleWindow<Real> chroma_rows(row, frame.ratio_y / frame.chroma_y, chroma.height);
  const TriangleWindow<Real> chroma_columns(column, frame.ratio_x / frame.chroma_x, chroma.width);
  const Real u = resampled(bytes, chroma, chroma_rows, chroma_columns, 1, 0) - Real(128);
  const Real v = resampled(bytes, frame.planes[2], chroma_rows, chroma_columns, 1, 0) - Real(128);
  return {clamped(y + static_cast<Real>(m.vr) * v),
          clamped(y + static_cast<Real>(m.ug) * u + static_cast<Real>(m.vg) * v),
          clamped(y + static_cast<Real>(m.ub) * u)};
}

}  // namespace laban
