// The largest picture that is decoded. A few bytes can claim to be a picture of gigabytes.
#pragma once

#include <cstdint>

namespace laban {

/// 8192 x 8192: twice what 8K video has.
constexpr int64_t kMostPixels = int64_t{1} << 26;

/// Pictures and video frames of more pixels count as damaged. For the whole process, as every decoder heeds it.
int64_t most_pixels();
void set_most_pixels(int64_t pixels);

}  // namespace laban
