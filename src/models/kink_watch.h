// Records on which side of their kinks all ReLUs and max-pools of a pass were.
//
// A difference quotient approximates the derivative only if no ReLU changes its sign and no max-pool its
// winner between the points. Two passes with the same pattern() are on the same smooth piece of the function.
#pragma once

#include "core/backend_decorator.h"

namespace laban {

/// Works for backends with host memory.
class KinkWatch : public BackendDecorator {
 public:
  explicit KinkWatch(Backend& inner) : BackendDecorator(inner) {
    require(inner.device() == Device::cpu, "KinkWatch: needs host memory");
  }

  void reset() { pattern_ = 0; }
  /// A hash of all sides since reset(), in order.
  uint64_t pattern() const { return pattern_; }

  using BackendDecorator::run;
  void run(const BatchNormTrain& op, Scratch scratch) override;
  void run(const BatchNormInfer& op, Scratch scratch) override;
  void run(const ConvBatchNorm& op, Scratch scratch) override;
  void run(const ReluForward& op, Scratch scratch) override;
  void run(const MaxPoolForward& op, Scratch scratch) override;

 private:
  void add(uint64_t side) { pattern_ = (pattern_ ^ side) * 0x9E3779B97F4A7C15u + 1; }
  void note_signs(const Tensor& y);

  uint64_t pattern_ = 0;
};

}  // namespace laban
