// Frames for a device that makes the clip's pixels itself (ClipsFromFrames in core/ops/input.h).
#pragma once

#include <cstdint>
#include <memory_resource>
#include <vector>

#include "core/frame_placement.h"
#include "data/clip/clip_writer.h"

namespace laban {

/// Appends to `bytes` the part of `frame` that a clip of this geometry looks at, and says where it lies and
/// how to look at it. What the op makes of it is what ClipWriter would.
FramePlacement place_frame(const Frame& frame, const ClipGeometry& geometry,
                           std::pmr::vector<uint8_t>& bytes);

}  // namespace laban
