// Frames for a device that produces the clip's pixels itself (ClipsFromFrames in core/ops/input.h).
#pragma once

#include <cstdint>
#include <memory_resource>
#include <vector>

#include "core/frame_placement.h"
#include "data/clip/clip_writer.h"

namespace laban {

/// Appends to `bytes` the part of `frame` that a clip of this geometry needs, and returns where it is and how
/// to view it. The op produces the same pixels from it as ClipWriter.
FramePlacement place_frame(const Frame& frame, const ClipGeometry& geometry,
                           std::pmr::vector<uint8_t>& bytes);

}  // namespace laban
