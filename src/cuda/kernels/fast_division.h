// Division by a number that is known before the kernel starts: a multiplication and a shift, where the
// machine's own division takes some twenty instructions. Granlund and Montgomery, "Division by invariant
// integers using multiplication", 1994.
#pragma once

#include <array>

#include "cuda/kernels/device.h"

namespace laban::cuda {

/// Divides numbers in [0, 2^31).
class FastDivisor {
 public:
  /// Host function; `divisor` in [1, 2^31).
  explicit FastDivisor(int64_t divisor) : divisor_(static_cast<uint32_t>(divisor)) {
    require(divisor >= 1 && divisor <= INT32_MAX, "FastDivisor: out of range");
    while ((int64_t{1} << shift_) < divisor) ++shift_;
    const uint64_t excess = (uint64_t{1} << shift_) - divisor_;
    factor_ = static_cast<uint32_t>((excess << 32) / divisor_ + 1);
  }

  __device__ int quotient(int number) const {
    const uint32_t n = static_cast<uint32_t>(number);
    const uint32_t high = static_cast<uint32_t>(uint64_t{n} * factor_ >> 32);
    return static_cast<int>((high + n) >> shift_);
  }
  /// Divides `number` in place and gives the remainder.
  __device__ int split(int& number) const {
    const int all = number;
    number = quotient(all);
    return all - number * static_cast<int>(divisor_);
  }

 private:
  uint32_t divisor_, factor_ = 0;
  int shift_ = 0;
};

/// A place in a tensor, from its row and back.
struct Coordinates {
  int n, t, h, w;
};
class Places {
 public:
  explicit Places(const Shape& shape)
      : t_(static_cast<int>(shape.t)),
        h_(static_cast<int>(shape.h)),
        w_(static_cast<int>(shape.w)),
        by_t_(shape.t),
        by_h_(shape.h),
        by_w_(shape.w) {}

  __device__ Coordinates at(int row) const {
    Coordinates place{};
    place.w = by_w_.split(row);
    place.h = by_h_.split(row);
    place.t = by_t_.split(row);
    place.n = row;
    return place;
  }
  __device__ int64_t row(int n, int t, int h, int w) const {
    return ((int64_t{n} * t_ + t) * h_ + h) * w_ + w;
  }
  __device__ int t() const { return t_; }
  __device__ int h() const { return h_; }
  __device__ int w() const { return w_; }

 private:
  int t_, h_, w_;
  FastDivisor by_t_, by_h_, by_w_;
};

/// Three numbers along t, h, w: std::array is the host's.
struct Triple {
  int t, h, w;

  explicit Triple(const std::array<int64_t, 3>& values)
      : t(static_cast<int>(values[0])), h(static_cast<int>(values[1])), w(static_cast<int>(values[2])) {}
};

}  // namespace laban::cuda
