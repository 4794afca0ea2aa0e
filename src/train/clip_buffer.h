// Where a batch's clips go before they enter the network.
#pragma once

#include <memory>

#include "core/backend.h"
#include "data/loader.h"

namespace laban {

/// Brings batches into the backend's memory and the compute type. Allocates for the largest batch seen.
class ClipBuffer {
 public:
  ClipBuffer(Backend& backend, DType compute) : backend_(backend), compute_(compute) {}

  /// The batch's clips, n x t x h x w x 3; valid until the next load().
  Tensor load(const Batch& batch);

 private:
  Backend& backend_;
  DType compute_;
  std::unique_ptr<Memory> pixels_,
      converted_;  // f32 as the loader makes them; the compute type, where it is another
};

}  // namespace laban
