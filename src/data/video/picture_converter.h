// libav's pictures as laban's: planes of bytes, with their colors explained.
#pragma once

#include <filesystem>

#include "data/picture/frame.h"
#include "data/video/libav.h"

namespace laban {

/// FileError where this kind of picture cannot be turned into a Frame.
void require_supported(const std::filesystem::path& file, const AVFrame& picture);

/// Makes Frames of AVFrames: shares the planes where they are 8-bit and planar, converts all else (more bits,
/// packed, palettes) with libswscale to the nearest layout of the same chroma resolution. Keeps its scaler
/// from picture to picture.
class PictureConverter {
 public:
  /// The frame without rotation and mirror. Borrowed planes live as long as `picture`, or until the next
  /// call.
  Frame convert(const std::filesystem::path& file, const AVFrame& picture);

 private:
  av::Scaler scaler_;
  av::FramePtr converted_;
};

}  // namespace laban
