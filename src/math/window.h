// Index arithmetic of sliding windows along one axis. Output `o` looks at inputs o*stride - padding + tap.
#pragma once

#include <cstdint>

#include "math/hd.h"

namespace laban {

/// The taps [begin, end) of one output whose inputs exist, and the input of tap 0 (which may lie in the
/// padding).
struct TapRange {
  int64_t begin, end, origin;
};
LABAN_HD constexpr TapRange taps_inside(int64_t output, int64_t kernel, int64_t stride, int64_t padding,
                                        int64_t inputs) {
  const int64_t origin = output * stride - padding;
  const int64_t begin = origin < 0 ? -origin : 0;
  const int64_t end = inputs - origin < kernel ? inputs - origin : kernel;
  return {begin, end, origin};
}

/// The transpose: the output that sees `input` through `tap`, or -1 where none does.
LABAN_HD constexpr int64_t output_through(int64_t tap, int64_t input, int64_t stride, int64_t padding,
                                          int64_t outputs) {
  const int64_t start = input + padding - tap;
  if (start < 0 || start % stride != 0) return -1;
  const int64_t output = start / stride;
  return output < outputs ? output : -1;
}

}  // namespace laban
