#include "data/clip/place_frame.h"

#include <algorithm>

#include "data/clip/frame_view.h"

namespace laban {
namespace {

/// The samples of an axis that are needed for `outputs` scaled samples starting at `begin`, plus one on
/// either side: a device may round a window's end differently.
struct Stretch {
  int first = 0, count = 0;
};
Stretch stretch_of(int begin, int outputs, double ratio, int samples) {
  const TriangleWindow<double> low(begin, ratio, samples), high(begin + outputs - 1, ratio, samples);
  const int first = std::max(0, low.first - 1), last = std::min(samples - 1, high.last + 1);
  return {first, last - first + 1};
}

}  // namespace

FramePlacement place_frame(const Frame& frame, const ClipGeometry& geometry,
                           std::pmr::vector<uint8_t>& bytes) {
  const StoredCrop crop = stored_crop(frame, geometry);
  const Walk walk = walk_of(frame, geometry, crop.columns);
  const Subsampling sub = subsampling_of(frame.layout);
  FramePlacement to;
  to.kind = frame.layout == PixelLayout::rgb24   ? FrameKind::rgb
            : frame.layout == PixelLayout::gray8 ? FrameKind::gray
                                                 : FrameKind::yuv;
  to.chroma_x = sub.x;
  to.chroma_y = sub.y;
  to.ratio_x = crop.ratio_x;
  to.ratio_y = crop.ratio_y;
  to.row = crop.row;
  to.column = crop.column;
  to.columns = crop.columns;
  to.base = static_cast<int32_t>(walk.base);
  to.down = static_cast<int32_t>(walk.down);
  to.right = static_cast<int32_t>(walk.right);
  to.color = color_of(frame.matrix, frame.full_range);

  const int samples = to.kind == FrameKind::rgb ? 3 : 1;
  const auto copy_plane = [&](size_t p, Subsampling by) {
    FramePlane& plane = to.planes[p];
    plane.width = (frame.width + by.x - 1) / by.x;
    plane.height = (frame.height + by.y - 1) / by.y;
    const Stretch rows = stretch_of(crop.row, crop.rows, crop.ratio_y / by.y, plane.height);
    const Stretch columns = stretch_of(crop.column, crop.columns, crop.ratio_x / by.x, plane.width);
    plane.left = columns.first;
    plane.top = rows.first;
    plane.stride = columns.count * samples;
    plane.begin = static_cast<int64_t>(bytes.size());
    for (int row = 0; row < rows.count; ++row) {
      const uint8_t* const line =
          frame.plane[p] + int64_t{rows.first + row} * frame.stride[p] + int64_t{columns.first} * samples;
      bytes.insert(bytes.end(), line, line + plane.stride);
    }
  };
  copy_plane(0, {});
  if (has_chroma(frame.layout))
    for (const size_t p : {size_t{1}, size_t{2}}) copy_plane(p, sub);
  return to;
}

}  // namespace laban
