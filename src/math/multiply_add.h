// a*b + c, the same to the last bit wherever it is written.
#pragma once

#include <cmath>

#include "math/hd.h"

namespace laban {

/// Rounded once where one instruction does it, else twice. Of a plain a*b + c the compiler decides anew in
/// every loop whether it rounds once or twice; what is computed again in another loop and must not differ
/// says which.
template <class Real>
LABAN_HD inline Real multiply_add(Real a, Real b, Real c) {
#if defined(__CUDA_ARCH__) || defined(FP_FAST_FMAF)
  return std::fma(a, b, c);
#else
  return a * b + c;
#endif
}

}  // namespace laban
