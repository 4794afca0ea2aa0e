// Ops that look at one element at a time.
#pragma once

#include "core/ops/op.h"

namespace laban {

/// y = max(x, 0); y may be x.
struct ReluForward {
  static constexpr std::string_view kName = "relu.forward";
  Tensor x, y;

  void visit(auto&& f) {
    f("x", x, TensorUse::read);
    f("y", y, TensorUse::written);
  }
  OpCost cost() const { return moving({x, y}, x.shape); }
};

/// dx = dy * (y > 0); dx may be dy.
struct ReluBackward {
  static constexpr std::string_view kName = "relu.backward";
  Tensor y, dy, dx;

  void visit(auto&& f) {
    f("y", y, TensorUse::read);
    f("dy", dy, TensorUse::read);
    f("dx", dx, TensorUse::written);
  }
  OpCost cost() const { return moving({y, dy, dx}, y.shape); }
};

/// into += from, both of one dtype.
struct Accumulate {
  static constexpr std::string_view kName = "accumulate";
  Tensor from, into;

  void visit(auto&& f) {
    f("from", from, TensorUse::read);
    f("into", into, TensorUse::updated);
  }
  OpCost cost() const { return moving({from, into, into}, into.shape); }
};

/// Any of f64, f32, bf16 to any other, to nearest (f64 to bf16 by way of f32). `to` may have more channels than
/// `from`, for padding: these become zero.
struct Cast {
  static constexpr std::string_view kName = "cast";
  Tensor from, to;

  void visit(auto&& f) {
    f("from", from, TensorUse::read);
    f("to", to, TensorUse::written);
  }
  OpCost cost() const { return moving({from, to}, from.shape); }
};

/// y = keep ? x/(1-p) : 0.
///
/// keep is a pure function of (seed, stream, step, element index) and is recomputed in backward: element i uses
/// word i%4 of philox({i/4 low, i/4 high, s low, s high}, seed); keep iff word * 2^-32 >= p. s is `stream`, or
/// dropout_stream(seed, stream, *step) where there is a step: it lies in the backend's memory so that a
/// recorded step draws new masks. Forward and backward are the same op: x, y or dy, dx. y may be x.
struct Dropout {
  static constexpr std::string_view kName = "dropout";
  Tensor x, y;
  double p = 0.5;
  uint64_t seed = 0, stream = 0;
  Tensor step = {};  // i64 scalar; may be empty

  void visit(auto&& f) {
    f("x", x, TensorUse::read);
    f("step", step, TensorUse::read);
    f("y", y, TensorUse::written);
  }
  OpCost cost() const { return moving({x, y}, x.shape); }
};

struct SetZero {
  static constexpr std::string_view kName = "set_zero";
  Tensor x;

  void visit(auto&& f) { f("x", x, TensorUse::written); }
  OpCost cost() const { return moving({x}); }
};

using ElementwiseOps = OpList<ReluForward, ReluBackward, Accumulate, Cast, Dropout, SetZero>;

}  // namespace laban
