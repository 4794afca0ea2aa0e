#include "data/clip/sampler.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace laban {
namespace {

std::vector<int64_t> training_starts(const SamplerSettings& s, int64_t n, Rng& rng) {
  const int64_t places = n - s.frames_per_segment + 1, segments = s.segments();
  std::vector<int64_t> starts;
  if (s.kind == SamplerKind::tsn_unbiased) {
    const double d = static_cast<double>(std::max<int64_t>(1, places)) / static_cast<double>(segments);
    for (int64_t k = 0; k < segments; ++k) {
      const int64_t low = static_cast<int64_t>(static_cast<double>(k) * d);
      const int64_t high = static_cast<int64_t>(static_cast<double>(k + 1) * d);  // exclusive
      starts.push_back(std::min(rng.integer(low, std::max(low, high - 1)), std::max<int64_t>(0, places - 1)));
    }
    return starts;
  }
  const int64_t m = places > 0 ? places / segments : 0;
  for (int64_t k = 0; k < segments; ++k)
    starts.push_back(m > 0 ? k * m + rng.integer(0, m - 1)
                           : rng.integer(0, std::max<int64_t>(1, places) - 1));
  std::ranges::sort(starts);
  return starts;
}

std::vector<int64_t> even_starts(const SamplerSettings& s, int64_t n, View view) {
  const double d = static_cast<double>(n - s.frames_per_segment + 1) / s.segments();
  const double phase = d * (view.number + 0.5) / view.of;
  std::vector<int64_t> starts;
  // If a segment is longer than the video, d is not positive, and the formula would leave the video.
  for (int64_t k = 0; k < s.segments(); ++k)
    starts.push_back(std::max<int64_t>(0, static_cast<int64_t>(phase + d * static_cast<double>(k))));
  return starts;
}

/// Frames of the video from a dense clip's first to its frame i. A thousandth is added before rounding down:
/// rates are rounded (29.97), and 2.9999 frames count as three.
double dense_offset(const SamplerSettings& s, double video_fps, int i) {
  const double step = s.stride * (s.fps > 0 && video_fps > 0 ? video_fps / s.fps : 1);
  return std::floor(i * step + 1e-3);
}
/// Frames from a dense clip's first to its last, both inclusive.
double dense_length(const SamplerSettings& s, double video_fps) {
  return dense_offset(s, video_fps, s.frames - 1) + 1;
}

std::vector<int64_t> dense_indices(const SamplerSettings& s, SampleMode mode, int64_t n, double video_fps,
                                   Rng& rng, View view) {
  const double length = dense_length(s, video_fps);
  const int64_t slack = length < static_cast<double>(n) ? n - static_cast<int64_t>(length) : 0;
  const int64_t start = mode == SampleMode::train ? rng.integer(0, slack)
                        : view.of == 1            ? slack / 2
                                                  : slack * view.number / (view.of - 1);
  std::vector<int64_t> indices;
  for (int i = 0; i < s.frames; ++i)
    indices.push_back(static_cast<int64_t>(
        std::min(static_cast<double>(start) + dense_offset(s, video_fps, i), static_cast<double>(n - 1))));
  return indices;
}

/// The same by the clock, for a video whose frames are shown for different lengths of time.
std::vector<int64_t> timed_indices(const SamplerSettings& s, SampleMode mode, std::span<const double> times,
                                   Rng& rng, View view) {
  const double step = s.stride / s.fps, first = times.front();
  const double slack = std::max(0.0, times.back() - first - (s.frames - 1) * step);
  const double start = first + (mode == SampleMode::train ? rng.uniform(0, slack)
                                : view.of == 1            ? slack / 2
                                                          : slack * view.number / (view.of - 1));
  std::vector<int64_t> indices;
  for (int i = 0; i < s.frames; ++i) {
    const double time = start + i * step;
    const auto after = std::ranges::upper_bound(times, time);
    auto k = std::max<int64_t>(0, after - times.begin() - 1);
    if (after != times.end() && after != times.begin()) {
      const double shown = *after - times[static_cast<size_t>(k)];
      k += (*after - time) < 1e-3 * shown;  // times are rounded: the next frame is as good as there
    }
    indices.push_back(k);
  }
  return indices;
}

}  // namespace

void validate(const SamplerSettings& s) {
  if (s.frames < 1 || s.frames_per_segment < 1 || s.frames % s.frames_per_segment != 0)
    throw UsageError(text("a clip of ", s.frames, " frames cannot be made of segments of ",
                          s.frames_per_segment, " frames"),
                     "Both must be at least 1, and the first a multiple of the second.");
  if (!(s.stride > 0) || !std::isfinite(s.stride) || !(s.fps >= 0) || !std::isfinite(s.fps))
    throw UsageError(
        text("frames cannot be sampled with stride ", s.stride, " at ", s.fps, " frames per second"),
        "The stride must be positive; the rate must be positive, or 0 for the video's own.");
}

int64_t frames_needed(const SamplerSettings& s, double video_fps) {
  if (s.kind != SamplerKind::dense) return int64_t{s.segments()} + s.frames_per_segment - 1;
  return static_cast<int64_t>(std::min(dense_length(s, video_fps), 1e15));
}

std::vector<int64_t> sample_indices(const SamplerSettings& settings, SampleMode mode, int64_t frame_count,
                                    double video_fps, Rng& rng, View view, std::span<const double> times) {
  validate(settings);
  require(frame_count > 0, "sample_indices: a video without frames");
  require(view.of >= 1 && view.number >= 0 && view.number < view.of, "sample_indices: no such view");
  if (settings.kind == SamplerKind::dense && settings.fps > 0 && !times.empty()) {
    require(static_cast<int64_t>(times.size()) == frame_count, "sample_indices: a time for every frame");
    return timed_indices(settings, mode, times, rng, view);
  }
  if (settings.kind == SamplerKind::dense)
    return dense_indices(settings, mode, frame_count, video_fps, rng, view);
  const std::vector<int64_t> starts = mode == SampleMode::train ? training_starts(settings, frame_count, rng)
                                                                : even_starts(settings, frame_count, view);
  std::vector<int64_t> indices;
  indices.reserve(static_cast<size_t>(settings.frames));
  for (const int64_t start : starts)
    for (int64_t i = 0; i < settings.frames_per_segment; ++i)
      indices.push_back(std::min(start + i, frame_count - 1));
  std::ranges::sort(indices);
  return indices;
}

}  // namespace laban
