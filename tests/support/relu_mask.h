// Backward may derive the ReLU mask from x (BatchNormBackward::beta): it must agree exactly with the one from
// y.
#pragma once

#include "core/backend.h"

namespace laban::test {

/// CHECKs it on values whose z is 0 but for rounding, where a formula that rounds otherwise gives another
/// sign.
void check_relu_mask(Backend& backend, DType compute);

}  // namespace laban::test
