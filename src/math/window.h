// Index arithmetic for sliding windows along one axis. Output `o` reads inputs o*stride - padding + tap.
#pragma once

#include <cstdint>

#include "math/hd.h"

namespace laban {

/// The taps [begin, end) of one output whose inputs exist, and the input of tap 0 (which may lie in the
/// padding). Int: 64 bits, or 32 on a GPU, where these are faster.
template <class Int>
struct TapRangeOf {
  Int begin, end, origin;
};
using TapRange = TapRangeOf<int64_t>;
template <class Int>
LABAN_HD constexpr TapRangeOf<Int> taps_inside(Int output, Int kernel, Int stride, Int padding, Int inputs) {
  const Int origin = output * stride - padding;
  const Int begin = origin < 0 ? -origin : 0;
  const Int end = inputs - origin < kernel ? inputs - origin : kernel;
  return {begin, end, origin};
}

/// The transpose: the output that reads `input` through `tap`, or -1 if there is none.
LABAN_HD constexpr int64_t output_through(int64_t tap, int64_t input, int64_t stride, int64_t padding,
                                          int64_t outputs) {
  const int64_t start = input + padding - tap;
  if (start < 0 || start % stride != 0) return -1;
  const int64_t output = start / stride;
  return output < outputs ? output : -1;
}

/// The outputs [begin, end) whose windows contain `input`; output o reads it through tap input + padding -
/// o*stride.
template <class Int>
struct OutputRange {
  Int begin, end;
};
template <class Int>
LABAN_HD constexpr OutputRange<Int> outputs_seeing(Int input, Int kernel, Int stride, Int padding,
                                                   Int outputs) {
  const Int last_tap = input + padding, first_tap = last_tap - kernel + 1;
  const Int begin = first_tap > 0 ? (first_tap + stride - 1) / stride : 0;
  const Int end = last_tap / stride + 1;
  return {begin, end < outputs ? end : outputs};
}

}  // namespace laban
