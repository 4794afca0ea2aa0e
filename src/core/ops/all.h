// Every op there is. Backend's functions, the decorators, the kernels that the CUDA backend and its emulation
// run, and the tests of the op table are derived from this list.
#pragma once

#include "core/ops/batch_norm.h"
#include "core/ops/conv.h"
#include "core/ops/conv_batch_norm.h"
#include "core/ops/elementwise.h"
#include "core/ops/input.h"
#include "core/ops/linear.h"
#include "core/ops/loss.h"
#include "core/ops/op_list.h"
#include "core/ops/optimizer.h"
#include "core/ops/pool.h"

namespace laban {

using AllOps = Joined<ConvOps, BatchNormOps, ConvBatchNormOps, ElementwiseOps, PoolOps, InputOps, LinearOps,
                      LossOps, OptimizerOps>;

}  // namespace laban
