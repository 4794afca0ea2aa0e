// Double buffer for a batch's clips, so that the next batch can be uploaded while the current one is
// computed.
#pragma once

#include <array>
#include <memory>

#include "core/memory.h"
#include "core/ops/input.h"
#include "data/load/batch_source.h"

namespace laban {

class Backend;

/// Transfers batches to the backend's memory, in its compute dtype and with padded channels: either pixels,
/// or decoded frames that the backend converts to pixels. Allocates for the largest batch seen.
class ClipBuffer {
 public:
  ClipBuffer(Backend& backend, DType compute) : backend_(backend), compute_(compute) {}

  /// Starts the upload of `batch`, and keeps it until that is done. The results of all but the last batch
  /// taken must have been waited for, as their buffer is reused.
  void begin(std::shared_ptr<const Batch> batch);
  /// The clips of the batch passed to begin(), as required by Network; valid until the begin() after next.
  Tensor take();

 private:
  struct Place {
    std::shared_ptr<const Batch> batch;  // if it is uploaded in place
    std::unique_ptr<Memory> staging;     // else a copy on the host; for frames, their placements
    std::unique_ptr<Memory> uploaded;    // in the backend's memory: pixels in f32, or decoded frames
    std::unique_ptr<Memory> clips;       // converted and padded, if different
    Shape shape;
    bool made_of_frames = false;
    ClipsFromFrames frames;  // all but y
  };
  void begin_pixels(Place& place, const Batch& batch);
  void begin_frames(Place& place, const Batch& batch);

  Backend& backend_;
  DType compute_;
  std::array<Place, 2> places_;
  size_t next_ = 0;  // the buffer for the next begin()
};

}  // namespace laban
