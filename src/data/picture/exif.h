// The orientation that cameras note in pictures.
#pragma once

#include <cstdint>
#include <span>

namespace laban {

struct Frame;

/// The EXIF orientation of a JPEG or PNG file, 1 to 8; 1 (as stored) if it has none, or none that can be read.
int exif_orientation(std::span<const uint8_t> file);

/// Sets rotation and mirror as the orientation says.
void orient(Frame& frame, int orientation);

}  // namespace laban
