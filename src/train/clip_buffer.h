// Where a batch's clips go before they enter the network: two places, so that the next batch can be on its
// way while this one is computed.
#pragma once

#include <array>
#include <memory>

#include "core/backend.h"
#include "data/loader.h"

namespace laban {

/// Brings batches into the backend's memory, the compute type, and the padding of its channels. Allocates for
/// the largest batch seen.
class ClipBuffer {
 public:
  ClipBuffer(Backend& backend, DType compute) : backend_(backend), compute_(compute) {}

  /// Begins to bring `batch` in. The results of all but the last batch taken must have been waited for: its
  /// place is taken over.
  void begin(const Batch& batch);
  /// The clips of the batch that begin() brought, as Network wants them; valid until the begin() after next.
  Tensor take();
  /// Both at once.
  Tensor load(const Batch& batch) {
    begin(batch);
    return take();
  }

 private:
  struct Place {
    std::unique_ptr<Memory> staging;  // f32 on the host, as the loader made them
    std::unique_ptr<Memory> pixels;   // the same in the backend's memory
    std::unique_ptr<Memory> clips;    // converted and padded, where these differ
    Shape shape;
  };

  Backend& backend_;
  DType compute_;
  std::array<Place, 2> places_;
  size_t next_ = 0;  // the place of the next begin()
};

}  // namespace laban
