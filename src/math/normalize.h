// From a colour value of 0..255 to what the network sees.
#pragma once

#include "math/hd.h"

namespace laban {

/// (value/255 - mean) / std, for one colour channel.
template <class Real>
struct Normalize {
  Real mean, std;

  LABAN_HD constexpr Real operator()(Real value) const { return (value / Real(255) - mean) / std; }
};

}  // namespace laban
