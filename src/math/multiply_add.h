// a*b + c, bit-identical wherever it is computed.
#pragma once

#include <cmath>

#include "math/hd.h"

namespace laban {

/// Rounded once if the processor has an instruction for it, else twice. For a plain a*b + c, the compiler
/// decides separately in every loop whether to round once or twice; code that must recompute the same value
/// in another loop uses this instead.
template <class Real>
LABAN_HD inline Real multiply_add(Real a, Real b, Real c) {
#if defined(__CUDA_ARCH__) || defined(FP_FAST_FMAF)
  return std::fma(a, b, c);
#else
  return a * b + c;
#endif
}

}  // namespace laban
