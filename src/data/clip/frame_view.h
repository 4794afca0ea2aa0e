// How the samples of a stored frame become the pixels of a clip: subsampled chroma, color, and rotation.
// Shared by ClipWriter, which produces the pixels, and place_frame(), which describes them to a device.
#pragma once

#include "core/frame_placement.h"
#include "data/clip/clip_writer.h"

namespace laban {

/// Luma samples per chroma sample.
struct Subsampling {
  int x = 1, y = 1;
};
Subsampling subsampling_of(PixelLayout layout);
bool has_chroma(PixelLayout layout);

/// From Y, U, V to R, G, B in 0..255 (ITU-T H.273).
FrameColor color_of(ColorMatrix matrix, bool full_range);

/// The crop of a scaled picture, in the orientation in which the frame is stored.
struct StoredCrop {
  int row = 0, column = 0;          // its corner
  int rows = 0, columns = 0;        // its extents
  double ratio_x = 1, ratio_y = 1;  // stored luma samples per scaled sample
};
StoredCrop stored_crop(const Frame& frame, const ClipGeometry& geometry);

/// The position of pixel (i, j) of the clip in the stored crop: base + i*down + j*right.
struct Walk {
  int64_t base = 0, down = 0, right = 0;
};
Walk walk_of(const Frame& frame, const ClipGeometry& geometry, int columns);

}  // namespace laban
