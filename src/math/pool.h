// Which element of a pooling window wins.
#pragma once

#include "math/hd.h"

namespace laban {

/// Whether `candidate`, which comes later in the window than `best`, takes its place: strictly greater, so
/// the first of equals stays; or NaN, so that NaN is never hidden (of several, the last one wins, as in
/// PyTorch).
template <class Real>
LABAN_HD constexpr bool max_pool_takes(Real candidate, Real best) {
  return candidate > best || candidate != candidate;
}

}  // namespace laban
