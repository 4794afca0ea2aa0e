// Where a batch's clips go before they enter the network: two places, so that the next batch can be on its
// way while this one is computed.
#pragma once

#include <array>
#include <memory>

#include "core/backend.h"
#include "data/load/batch_source.h"

namespace laban {

/// Brings batches into the backend's memory, the compute type, and the padding of its channels: pixels as
/// they are, frames as decoded for the backend to make pixels of. Allocates for the largest batch seen.
class ClipBuffer {
 public:
  ClipBuffer(Backend& backend, DType compute) : backend_(backend), compute_(compute) {}

  /// Begins to bring `batch` in, and keeps it for as long as it travels. The results of all but the last
  /// batch taken must have been waited for: its place is taken over.
  void begin(std::shared_ptr<const Batch> batch);
  /// The clips of the batch that begin() brought, as Network wants them; valid until the begin() after next.
  Tensor take();

 private:
  struct Place {
    std::shared_ptr<const Batch> batch;  // where it travels from there
    std::unique_ptr<Memory> staging;     // else a copy of it, on the host; of frames, how they are placed
    std::unique_ptr<Memory> uploaded;    // the same in the backend's memory: pixels in f32, or decoded frames
    std::unique_ptr<Memory> clips;       // converted and padded, where these differ
    Shape shape;
    bool made_of_frames = false;
    ClipsFromFrames frames;  // all but y
  };
  void begin_pixels(Place& place, const Batch& batch);
  void begin_frames(Place& place, const Batch& batch);

  Backend& backend_;
  DType compute_;
  std::array<Place, 2> places_;
  size_t next_ = 0;  // the place of the next begin()
};

}  // namespace laban
