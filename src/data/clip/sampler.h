// Selects the frames of a clip from a video.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/rng.h"

namespace laban {

enum class SampleMode { train, val, test };
enum class SamplerKind {
  tsn,           // S segments of F consecutive frames (temporal segment networks)
  tsn_unbiased,  // the same without the bias of its training formula: every start is possible
  dense,         // S*F frames, `stride` apart: at a random position in training, centered otherwise
};

struct SamplerSettings {
  SamplerKind kind = SamplerKind::tsn;
  int frames = 16;             // of a clip, a multiple of frames_per_segment
  int frames_per_segment = 1;  // tsn
  double stride = 1;           // dense: frames between samples; with `fps` > 0: at that frame rate
  double fps = 0;              // dense: resample to this rate (0: take frames as they come)
  int segments() const { return frames / frames_per_segment; }
  bool operator==(const SamplerSettings&) const = default;
};

/// One of several clips from the same video in evaluation: view `number`, from 0, of `of`.
struct View {
  int number = 0, of = 1;
};

/// Indices in [0, frame_count), ascending, settings.frames of them. N = frame_count, S segments of F
/// frames:
///   tsn, train      m = (N - F + 1) / S rounded down; start_k = k*m + integer in [0, m).
///                   m = 0: S sorted integers in [0, max(1, N - F + 1)).
///   tsn, else       d = (N - F + 1) / S; start_k = floor(d*k + d*(v + 1/2)/V), at least 0, for view v of V:
///                   with one view the middle of every segment.
///   tsn_unbiased    in training: start_k = integer in [floor(d*k), floor(d*(k+1))), at most N - F.
///                   Else as tsn.
///   dense           frame i at floor(start + i*step + 1/1000),
///                   step = stride * (fps > 0 ? video_fps / fps : 1).
///                   Of the starts 0 to R that keep the clip inside the video: any in training;
///                   floor(R*v/(V - 1)) for view v of V; R/2 if V = 1.
///   dense, with fps > 0 and `times`: what is on the screen (give or take a thousandth of a frame's duration) at
///                   the times start + i*stride/fps. Of the start times from the first frame's to the latest that
///                   keeps the clip inside the video: any in training, else as above.
/// F consecutive frames from every start, clamped to the last frame. Windows may overlap: indices are sorted.
/// `video_fps` and `times`, the frames' seconds in a video of variable rate (frame_count of them, ascending), only
/// matter to dense sampling with settings.fps > 0. `view` is ignored in training. Throws UsageError for invalid
/// settings.
std::vector<int64_t> sample_indices(const SamplerSettings& settings, SampleMode mode, int64_t frame_count,
                                    double video_fps, Rng& rng, View view = {},
                                    std::span<const double> times = {});

/// How many frames a video needs for a clip whose frames are all different and, with tsn, each in a separate
/// segment. Shorter videos give clips with repeated frames.
int64_t frames_needed(const SamplerSettings& settings, double video_fps);

/// UsageError if these are invalid.
void validate(const SamplerSettings& settings);

}  // namespace laban
