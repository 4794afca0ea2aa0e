// How long a plan takes on the GPU, on tensors of its own.
#pragma once

#include "cuda/conv/conv_plan.h"
#include "cuda/libraries.h"

namespace laban::cuda {

/// Times plans as they will run: many in a row from a recorded graph, so that what the host does between them
/// does not count. A plan that cannot be recorded is refused. Nothing that a network owns is touched.
/// `libraries` must outlive the result.
MakePlanTimer make_plan_timer(Libraries& libraries, Stream stream);

}  // namespace laban::cuda
