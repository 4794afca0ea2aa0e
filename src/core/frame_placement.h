// FramePlacement for those who may not look into src/math, and its place in a tensor.
#pragma once

#include <type_traits>

#include "core/tensor.h"
#include "math/frame_pixel.h"

namespace laban {

static_assert(std::is_trivially_copyable_v<FramePlacement>, "it travels to devices as bytes");

/// The shape of a u8 tensor of `frames` placements.
constexpr Shape placements_shape(int64_t frames) {
  return Shape::vector(frames * static_cast<int64_t>(sizeof(FramePlacement)));
}

}  // namespace laban
