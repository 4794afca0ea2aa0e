// Which element of a pooling window wins.
#pragma once

#include "math/hd.h"

namespace laban {

/// Whether `candidate`, which comes later in the window than `best`, replaces it: if strictly greater, so the
/// first of equals stays; or if NaN, so that NaN is never hidden (the last of several NaNs wins, as in
/// PyTorch).
template <class Real>
LABAN_HD constexpr bool max_pool_takes(Real candidate, Real best) {
  return candidate > best || candidate != candidate;
}

}  // namespace laban
