#include "data/clip/frame_view.h"

namespace laban {

Subsampling subsampling_of(PixelLayout layout) {
  switch (layout) {
    case PixelLayout::yuv420p:
      return {2, 2};
    case PixelLayout::yuv422p:
      return {2, 1};
    default:
      return {1, 1};
  }
}

bool has_chroma(PixelLayout layout) { return layout != PixelLayout::gray8 && layout != PixelLayout::rgb24; }

FrameColor color_of(ColorMatrix matrix, bool full_range) {
  double kr = 0.299, kb = 0.114;
  if (matrix == ColorMatrix::bt709) kr = 0.2126, kb = 0.0722;
  if (matrix == ColorMatrix::bt2020) kr = 0.2627, kb = 0.0593;
  const double kg = 1 - kr - kb;
  const double luma = full_range ? 1 : 255.0 / 219, chroma = full_range ? 1 : 255.0 / 224;
  return {.gain = static_cast<float>(luma),
          .offset = static_cast<float>(full_range ? 0 : -16 * luma),
          .vr = static_cast<float>(2 * (1 - kr) * chroma),
          .ug = static_cast<float>(-2 * kb * (1 - kb) / kg * chroma),
          .vg = static_cast<float>(-2 * kr * (1 - kr) / kg * chroma),
          .ub = static_cast<float>(2 * (1 - kb) * chroma)};
}

StoredCrop stored_crop(const Frame& frame, const ClipGeometry& g) {
  const bool turned = frame.rotation % 180 != 0;
  // The crop's corner in the displayed picture, before mirroring, and then in the stored picture.
  const int u = frame.mirror ? g.scaled_width - g.x - g.crop_width : g.x, v = g.y;
  const int far_u = g.scaled_width - u - g.crop_width, far_v = g.scaled_height - v - g.crop_height;
  StoredCrop crop;
  crop.rows = turned ? g.crop_width : g.crop_height;
  crop.columns = turned ? g.crop_height : g.crop_width;
  crop.row = frame.rotation == 0 ? v : frame.rotation == 90 ? far_u : frame.rotation == 180 ? far_v : u;
  crop.column = frame.rotation == 0 ? u : frame.rotation == 90 ? v : frame.rotation == 180 ? far_u : far_v;
  crop.ratio_x = static_cast<double>(frame.width) / (turned ? g.scaled_height : g.scaled_width);
  crop.ratio_y = static_cast<double>(frame.height) / (turned ? g.scaled_width : g.scaled_height);
  return crop;
}

Walk walk_of(const Frame& frame, const ClipGeometry& g, int columns) {
  // u increases with j along the rotated picture's rows, v with i down its columns; rotation maps (u, v) to
  // the stored (r, c).
  const bool backwards = g.flip != frame.mirror;
  const auto place = [&](int64_t i, int64_t j) {
    const int64_t u = backwards ? g.crop_width - 1 - j : j, v = g.flip_vertically ? g.crop_height - 1 - i : i;
    switch (frame.rotation) {
      case 90:
        return (g.crop_width - 1 - u) * columns + v;
      case 180:
        return (g.crop_height - 1 - v) * columns + (g.crop_width - 1 - u);
      case 270:
        return u * columns + (g.crop_height - 1 - v);
      default:
        return v * columns + u;
    }
  };
  return {.base = place(0, 0), .down = place(1, 0) - place(0, 0), .right = place(0, 1) - place(0, 0)};
}

}  // namespace laban
