// Frames a second from times that a container has rounded.
#pragma once

#include <cstdint>

namespace laban {

/// The rate of `frames` frames whose first and last are shown at `first` and `last`, in ticks of `tick`
/// seconds. Of all rates that fit these times the likeliest: what the container declares, else the nearest
/// whole number, else the simplest fraction (30000/1001). A plain quotient would miss 25 by an ulp or, where
/// times are rounded to milliseconds, 30 by a thousandth, and every frame number ⌊i*step⌋ that is to be whole
/// would be one too small. Where the times say nothing (one frame, or all at once): `declared`.
double likely_frame_rate(int64_t frames, int64_t first, int64_t last, double tick, double declared);

}  // namespace laban
