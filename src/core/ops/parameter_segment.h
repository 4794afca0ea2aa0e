// What an optimizer step knows of the parameters in the flat arena.
#pragma once

#include <cstdint>

namespace laban {

/// A run of the flat arena whose parameters share their settings.
struct ParameterSegment {
  int64_t begin = 0, end = 0;  // elements
  double lr_scale = 1, weight_decay = 0;
};

}  // namespace laban
