// What a clip looks like, in a few hundred bytes: to find clips that show the same, without comparing their frames.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset/dataset.h"
#include "data/picture/frame.h"

namespace laban {

constexpr int kThumbnailSide = 32, kGlimpseSide = 16;
/// The brightness of a frame as it is displayed, each value the mean over a 32nd of its width and of its height,
/// whatever its aspect ratio.
using Thumbnail = std::array<uint8_t, kThumbnailSide * kThumbnailSide>;
Thumbnail thumbnail_of(const Frame& frame);
/// The same of half the resolution.
using Glimpse = std::array<uint8_t, kGlimpseSide * kGlimpseSide>;

struct ClipSketch {
  /// The median of each value over the frames: a still camera's view without what moves in it.
  Thumbnail background{};
  /// Frames spread evenly over the clip, in order; of a long video, of its first seconds and key frames at a quarter,
  /// half and three quarters of it, and near its end. Empty if the clip cannot be read.
  std::vector<Glimpse> frames{};
  bool operator==(const ClipSketch&) const = default;
};
constexpr size_t kSketchFrames = 5;

/// Reads a few frames of the clip, of a video no more than some megapixels' worth: a pure function of the file's
/// contents, as the same version of libav decodes them. A range of a video is sketched as the whole. Never throws for a
/// file that cannot be read; throws Canceled if `cancel` is set.
ClipSketch sketch_of(const DatasetItem& item, const std::atomic<bool>* cancel);

/// A sketch as bytes, and back; nothing if the bytes are no sketch.
std::string to_bytes(const ClipSketch& sketch);
std::optional<ClipSketch> sketch_from(std::string_view bytes);

}  // namespace laban
