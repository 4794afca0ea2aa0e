// A backend under observation: every op runs twice, on the backend and on the reference in f64, from the same
// inputs, and the results are compared. The first op that disagrees stops the program by name. Slow (the
// reference is plain loops), and every op by itself: the inputs are those that the backend itself computed,
// so that what differs is what this op did, not what came before it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/backend_decorator.h"
#include "core/op_tensors.h"
#include "reference/reference_backend.h"

namespace laban {

/// How far a result may be from the reference's: norm of the difference over norm of what is right, of the
/// narrowest floating-point type among the op's tensors. Where a tensor is updated (gradients that
/// accumulate, weights), it is the change that counts.
struct CheckLimits {
  double f64 = 1e-10, f32 = 1e-4, bf16 = 1e-2;
};
/// With tf32 products have 10 bits of fraction.
inline CheckLimits check_limits(bool tf32) { return tf32 ? CheckLimits{.f32 = 2e-3} : CheckLimits{}; }

/// What was compared of one kind of op, so far.
struct CheckedOp {
  int64_t runs = 0;
  double worst = 0;    // error
  double limit = 0;    // of that run
  std::string tensor;  // where
};

namespace opcheck {

/// A tensor of an op, twice: as the backend has it, and a copy of its own for the reference.
struct Copy {
  std::string name;
  TensorUse use = TensorUse::read;
  Tensor original;
  std::vector<double> before;    // read and updated tensors: what was in it; empty for integers
  std::vector<double> wide;      // the reference's, floating-point
  std::vector<std::byte> bytes;  // the reference's, integers and bf16 copies of weights
};

class Checker {
 public:
  Checker(Backend& backend, const CheckLimits& limits, int64_t steps)
      : backend_(backend), limits_(limits), steps_(steps) {}

  template <class Op>
  void run(const Op& op, Scratch scratch) {
    if (steps_ <= 0) return backend_.run(op, scratch);
    Op mirror = op;
    copies_.clear();
    visit_tensors(mirror, [&](std::string_view name, Tensor& tensor, TensorUse use) {
      if (tensor) copies_.push_back(copy_of(name, tensor, use));
    });
    size_t next = 0;  // only now do the copies stay where they are
    visit_tensors(mirror, [&](std::string_view, Tensor& tensor, TensorUse) {
      if (tensor) tensor = in_copy(copies_[next++]);
    });
    backend_.run(op, scratch);
    scratch_.resize(reference_.scratch_bytes(mirror));
    reference_.run(mirror, Scratch{scratch_.data(), scratch_.size()});
    for (const Copy& copy : copies_)
      if (copy.use != TensorUse::read) compare(op_name(op), copy, rounding(mirror, copy.name));
    ++checked_[std::string(op_name(op))].runs;
    if constexpr (requires { op.common; }) --steps_;  // an optimizer's step ends a training step
  }

  const std::map<std::string, CheckedOp>& checked() const { return checked_; }

 private:
  Copy copy_of(std::string_view name, const Tensor& tensor, TensorUse use) const;
  Tensor in_copy(Copy& copy) const;
  std::vector<double> values_of(const Tensor& tensor) const;
  /// Throws Error where they differ by more than the limit. `rounding`: a magnitude that went into the
  /// result and may have cancelled out of it.
  void compare(std::string_view op, const Copy& copy, double rounding);
  double limit() const;

  template <class Op>
  static double rounding(const Op&, std::string_view) {
    return 0;
  }
  static double rounding(const ConvBackwardWeights& op, std::string_view tensor);
  static double rounding(const BatchNormTrain& op, std::string_view tensor);
  static double rounding(const BatchNormBackward& op, std::string_view tensor);
  static double rounding(const SoftmaxCrossEntropy& op, std::string_view tensor);

  Backend& backend_;
  ReferenceBackend reference_;
  CheckLimits limits_;
  int64_t steps_;
  std::vector<Copy> copies_;
  std::vector<std::byte> scratch_;
  std::map<std::string, CheckedOp> checked_;
};

template <class List>
class Checks;
template <>
class Checks<decorator::OpList<>> : public BackendDecorator {
 public:
  Checks(Backend& backend, const CheckLimits& limits, int64_t steps)
      : BackendDecorator(backend), checker_(backend, limits, steps) {}
  using BackendDecorator::run;

 protected:
  Checker checker_;
};
template <class Op, class... Rest>
class Checks<decorator::OpList<Op, Rest...>> : public Checks<decorator::OpList<Rest...>> {
 public:
  using Checks<decorator::OpList<Rest...>>::Checks;
  using Checks<decorator::OpList<Rest...>>::run;
  void run(const Op& op, Scratch scratch) override { this->checker_.run(op, scratch); }
};

}  // namespace opcheck

class CheckBackend : public opcheck::Checks<decorator::AllOps> {
 public:
  /// `backend` must outlive it. After `steps` steps of an optimizer ops only run.
  CheckBackend(Backend& backend, const CheckLimits& limits, int64_t steps) : Checks(backend, limits, steps) {}

  /// By the name of the op (core/op_tensors.h).
  const std::map<std::string, CheckedOp>& checked() const { return checker_.checked(); }
};

}  // namespace laban
