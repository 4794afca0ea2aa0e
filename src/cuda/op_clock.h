// The GPU's own clock: events between the ops, read when all of them have passed.
#pragma once

#include <memory>

#include "core/op_clock.h"
#include "cuda/kernels/kernels.h"

namespace laban::cuda {

/// Between one take() and the next, the stream is held back a little at first: the host sends ops off ahead
/// of the GPU, and they follow each other as they do in a recorded step. So the time between two marks is
/// the GPU's alone.
std::unique_ptr<OpClock> make_op_clock(Stream stream);

}  // namespace laban::cuda
