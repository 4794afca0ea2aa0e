// Converts libav's pictures to laban's: planes of bytes with color information.
#pragma once

#include <filesystem>

#include "data/picture/frame.h"
#include "data/video/libav.h"

namespace laban {

/// FileError if this kind of picture cannot be converted to a Frame.
void require_supported(const std::filesystem::path& file, const AVFrame& picture);

/// Converts AVFrames to Frames: borrows the planes if they are 8-bit and planar, and converts anything else
/// (more bits, packed, palettes) with libswscale to the nearest layout of the same chroma resolution. Reuses
/// its scaler from picture to picture.
class PictureConverter {
 public:
  /// The frame, not yet rotated or mirrored. Borrowed planes are valid as long as `picture`, others until the
  /// next call.
  Frame convert(const std::filesystem::path& file, const AVFrame& picture);

 private:
  av::Scaler scaler_;
  av::FramePtr converted_;
};

}  // namespace laban
