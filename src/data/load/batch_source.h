// Where batches come from: decoded videos (Loader), or precomputed features
// (train/features/feature_source.h).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <string>
#include <vector>

#include "core/frame_placement.h"
#include "core/tensor.h"

namespace laban {

struct BadFile {
  std::string file, reason;  // reason: the FileError's full text
};

/// A clip as decoded, for a device that produces its pixels (ClipsFromFrames in core/ops/input.h).
struct PlacedClip {
  std::pmr::vector<uint8_t> bytes;
  std::vector<FramePlacement> frames;  // t; their planes are in `bytes`
};

struct Batch {
  int64_t epoch = 0, index = 0;           // position: resume with start(epoch, index + 1)
  Shape shape{};                          // n, 3, t, h, w; for features: n, c
  std::pmr::vector<float> clips{};        // NTHWC; empty if there are `placed` ones
  std::vector<PlacedClip> placed{};       // n, or none
  bool staged = false;                    // both are in memory from a backend's allocate_staging()
  std::array<float, 3> scale{}, shift{};  // for `placed`: the network sees value*scale + shift
  std::vector<int32_t> labels{};          // n
  std::vector<int> items{};               // n: positions in Dataset::items
  std::vector<std::vector<int64_t>> frame_indices{};  // n: the sampled frames
};

class BatchSource {
 public:
  virtual ~BatchSource() = default;

  virtual int64_t batches_per_epoch() const = 0;
  /// Clips in one epoch, including those of a dropped last batch, but not files that were left out.
  virtual int64_t clips() const = 0;
  /// Starts (or restarts) at batch `index` of `epoch`; continues through later epochs until stopped, or to
  /// the end of `epoch` if `one_epoch`. `index` may be batches_per_epoch(): the next epoch's first batch, or
  /// nothing.
  virtual void start(int64_t epoch, int64_t index, bool one_epoch) = 0;
  /// The next batch in order; null at the end.
  virtual std::shared_ptr<const Batch> next() = 0;
  /// Seconds that next() waited since start().
  virtual double seconds_waited() const = 0;
  /// The files that were left out, by name.
  virtual std::vector<BadFile> bad_files() const = 0;
};

}  // namespace laban
