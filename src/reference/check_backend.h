// A backend under observation: every op runs twice, on the backend and on the reference in f64, from the same
// inputs, and the results are compared. The first op that disagrees stops the program by name. Slow (the
// reference is plain loops, and runs a second time for the bound), and every op by itself: the inputs are
// those that the backend itself computed, so that what differs is what this op did, not what came before it.
// The bound is not a matter of taste: reference/rounding.h.
#pragma once

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "core/backend_decorator.h"
#include "reference/reference_backend.h"
#include "reference/rounding.h"

namespace laban {

/// What was compared of one kind of op, so far.
struct CheckedOp {
  int64_t runs = 0;
  double fraction = 0;  // the largest difference, of what rounding explains: at most 1
  double error = 0;     // the same difference, of what is right, as norms
  std::string tensor;   // where
};

namespace opcheck {

/// A tensor of an op, twice: as the backend has it, and a copy of its own for the reference.
struct Copy {
  std::string name;
  TensorUse use = TensorUse::read;
  Tensor original;
  std::vector<double> before;     // updated tensors: what was in it
  std::vector<double> wide;       // the reference's, floating-point; then, of results, the magnitude
  std::vector<std::byte> bytes;   // the reference's, integers and bf16 copies of weights
  std::vector<double> right;      // results: what the reference computed
  std::vector<double> magnitude;  // results, floating-point: reference/rounding.h
  std::vector<double> spread;     // the same, where factors are rounded before they are multiplied
};

class Checker {
 public:
  Checker(Backend& backend, bool tf32, int64_t steps) : backend_(backend), tf32_(tf32), steps_(steps) {}

  template <class Op>
  void run(const Op& op, Scratch scratch) {
    if (steps_ <= 0) return backend_.run(op, scratch);
    Op mirror = op;
    copies_.clear();
    mirror.visit([&](std::string_view name, Tensor& tensor, TensorUse use) {
      if (tensor) copies_.push_back(copy_of(name, tensor, use));
    });
    size_t next = 0;  // only now do the copies stay where they are
    mirror.visit([&](std::string_view, Tensor& tensor, TensorUse) {
      if (tensor) tensor = in_copy(copies_[next++]);
    });
    backend_.run(op, scratch);
    scratch_.resize(reference_.scratch_bytes(mirror));
    const auto run_reference = [&] { reference_.run(mirror, Scratch{scratch_.data(), scratch_.size()}); };
    run_reference();
    keep(&Copy::right);
    if constexpr (sums_products<Op>) {
      // The same op on absolute values, then on squares.
      make_inputs(magnitude_of);
      run_reference();
      keep(&Copy::magnitude);
      if (tf32_) {
        make_inputs(square_of);
        run_reference();
        keep(&Copy::spread);
      }
    } else {
      to_magnitudes(mirror);
      keep(&Copy::magnitude);
      if (tf32_ && multiplies<Op>)
        for (Copy& copy : copies_) copy.spread = copy.magnitude;
    }
    Arithmetic arithmetic = arithmetic_of(multiplies<Op>);
    if constexpr (requires { backend_.rounds_before_adding(op); })
      if (backend_.rounds_before_adding(op)) arithmetic.addends = 0x1p-8;  // of bf16
    for (const Copy& copy : copies_)
      if (copy.use != TensorUse::read) compare(Op::kName, copy, arithmetic, terms(op));
    ++checked_[std::string(Op::kName)].runs;
    if constexpr (requires { op.common; }) --steps_;  // an optimizer's step ends a training step
  }

  const std::map<std::string, CheckedOp>& checked() const { return checked_; }

 private:
  Copy copy_of(std::string_view name, const Tensor& tensor, TensorUse use) const;
  Tensor in_copy(Copy& copy) const;
  std::vector<double> values_of(const Tensor& tensor) const;
  /// What the reference left in the results goes to `where`, as it is made ready to be compared.
  void keep(std::vector<double> Copy::*where);
  static double magnitude_of(double value) { return std::abs(value); }
  static double square_of(double value) { return value * value; }
  /// Replaces the copies' floating-point inputs, and what results that are updated begin from, by a function
  /// of theirs.
  void make_inputs(double (*of)(double));
  Arithmetic arithmetic_of(bool has_factors) const;
  /// Throws Error where they differ by more than rounding explains.
  void compare(std::string_view op, const Copy& copy, Arithmetic arithmetic, int64_t terms);

  Backend& backend_;
  ReferenceBackend reference_;
  bool tf32_;
  int64_t steps_;
  std::vector<Copy> copies_;
  std::vector<std::byte> scratch_;
  std::map<std::string, CheckedOp> checked_;
};

class Holder : public BackendDecorator {
 public:
  Holder(Backend& backend, bool tf32, int64_t steps)
      : BackendDecorator(backend), checker_(backend, tf32, steps) {}

 protected:
  Checker checker_;
};

template <class Below, class Op>
class ChecksOp : public Below {
 public:
  using Below::Below;
  using Below::run;
  void run(const Op& op, Scratch scratch) override { this->checker_.run(op, scratch); }
};

}  // namespace opcheck

class CheckBackend : public Chain<opcheck::ChecksOp, opcheck::Holder, AllOps> {
 public:
  /// `backend` must outlive it. After `steps` steps of an optimizer ops only run. `tf32`: the backend rounds
  /// factors to tf32.
  CheckBackend(Backend& backend, int64_t steps, bool tf32 = false)
      : Chain<opcheck::ChecksOp, opcheck::Holder, AllOps>(backend, tf32, steps) {}

  /// By the name of the op.
  const std::map<std::string, CheckedOp>& checked() const { return checker_.checked(); }
};

}  // namespace laban
