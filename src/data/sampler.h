// Which frames of a video make a clip.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/rng.h"

namespace laban {

enum class SampleMode { train, validate, test };
enum class SamplerKind {
  tsn,    // S segments of F consecutive frames (temporal segment networks)
  dense,  // S*F frames, `stride` apart, from one place: random in training, centred otherwise
};

struct SamplerSettings {
  SamplerKind kind = SamplerKind::tsn;
  int segments = 16;
  int frames_per_segment = 1;
  double stride = 1;       // dense: frames between samples; with `fps` > 0: at that frame rate
  double fps = 0;          // dense: resample to this rate (0: take frames as they come)
  int frames() const { return segments * frames_per_segment; }
};

/// Indices in [0, frame_count), ascending. `video_fps` matters only to dense sampling with settings.fps > 0.
std::vector<int64_t> sample_indices(const SamplerSettings& settings, SampleMode mode, int64_t frame_count,
                                    double video_fps, Rng& rng);

}  // namespace laban
