// How long a plan takes on the card, on tensors of its own.
#pragma once

#include "cuda/conv_plan.h"
#include "cuda/libraries.h"

namespace laban::cuda {

/// A PlanTimer. It allocates tensors and workspace for the problem, and frees them with the next problem or
/// the last copy of the timer; nothing that a network owns is touched. Throws Error where memory is short.
/// `libraries` must outlive it.
PlanTimer make_plan_timer(Libraries& libraries, Stream stream);

}  // namespace laban::cuda
