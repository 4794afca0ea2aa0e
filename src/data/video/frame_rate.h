// Frame rates from timestamps that a container has rounded.
#pragma once

#include <cstdint>
#include <vector>

#include "data/video/video_index.h"

namespace laban {

/// The rate of `frames` frames whose first and last are shown at `first` and `last`, in ticks of `tick`
/// seconds: of all rates consistent with these times, the one that the container declares, else the nearest
/// integer, else the simplest fraction (30000/1001). A plain quotient would miss 25 by an ulp or, with times
/// rounded to milliseconds, 30 by a thousandth, and then ⌊i*step⌋ would be one too small wherever i*step
/// should be an integer. If the times are uninformative (one frame, or all equal): `declared`.
double likely_frame_rate(int64_t frames, int64_t first, int64_t last, double tick, double declared);

/// The seconds at which the frames of a video of variable rate are shown; empty if its rate is constant (every frame
/// k lies within rounding of the first plus k / fps) or if the file lacks a time or has them out of order.
std::vector<double> frame_times(const VideoIndex& video);

}  // namespace laban
