// Max pooling, the global mean, and subsampling.
#pragma once

#include <array>

#include "core/ops/op.h"

namespace laban {

/// Padding counts as minus infinity. `taps` (u8, y's shape) notes which element of the window won, as
/// (kt*kH + kh)*kW + kw; the first of equals in that order. NaN wins; of several NaN, the last.
struct MaxPoolForward {
  static constexpr std::string_view kName = "max_pool.forward";
  Tensor x, y, taps;  // taps may be empty in evaluation
  Window window;

  void visit(auto&& f) {
    f("x", x, TensorUse::read);
    f("y", y, TensorUse::written);
    f("taps", taps, TensorUse::written);
  }
  OpCost cost() const { return moving({x, y, taps}, x.shape); }
};

struct MaxPoolBackward {
  static constexpr std::string_view kName = "max_pool.backward";
  Tensor dy, taps, dx;  // dx overwritten: windows that overlap add up
  Window window;

  void visit(auto&& f) {
    f("dy", dy, TensorUse::read);
    f("taps", taps, TensorUse::read);
    f("dx", dx, TensorUse::written);
  }
  OpCost cost() const { return moving({dy, taps, dx}, dx.shape); }
};

/// y, n x c: the mean over t,h,w.
struct GlobalAvgPoolForward {
  static constexpr std::string_view kName = "global_avg_pool.forward";
  Tensor x, y;

  void visit(auto&& f) {
    f("x", x, TensorUse::read);
    f("y", y, TensorUse::written);
  }
  OpCost cost() const { return moving({x, y}, x.shape); }
};

struct GlobalAvgPoolBackward {
  static constexpr std::string_view kName = "global_avg_pool.backward";
  Tensor dy, dx;

  void visit(auto&& f) {
    f("dy", dy, TensorUse::read);
    f("dx", dx, TensorUse::written);
  }
  OpCost cost() const { return moving({dy, dx}, dx.shape); }
};

/// Shortcut A of He et al. / Hara et al.: every stride-th element along t, h, w; channels beyond x's are zero.
struct SubsampleForward {
  static constexpr std::string_view kName = "subsample.forward";
  Tensor x, y;
  std::array<int64_t, 3> stride{1, 1, 1};

  void visit(auto&& f) {
    f("x", x, TensorUse::read);
    f("y", y, TensorUse::written);
  }
  OpCost cost() const { return moving({y, y}, x.shape); }
};

struct SubsampleBackward {
  static constexpr std::string_view kName = "subsample.backward";
  Tensor dy, dx;  // dx overwritten (zero where nothing was taken)
  std::array<int64_t, 3> stride{1, 1, 1};

  void visit(auto&& f) {
    f("dy", dy, TensorUse::read);
    f("dx", dx, TensorUse::written);
  }
  OpCost cost() const { return moving({dy, dx}, dx.shape); }
};

using PoolOps = OpList<MaxPoolForward, MaxPoolBackward, GlobalAvgPoolForward, GlobalAvgPoolBackward,
                       SubsampleForward, SubsampleBackward>;

}  // namespace laban
