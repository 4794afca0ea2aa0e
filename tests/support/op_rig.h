// The rig in which one op case runs on one backend: it makes the tensors, watches over their surroundings,
// reads the results.
//
// A case is a function of a rig; it runs once with the backend under test in its compute type and once with
// the reference in f64 (the oracle), and must not know which. Inputs come from Philox, rounded to the type in
// which the backend under test stores them, so that both sides compute with the same numbers.
//
// Around every buffer lie guard bands of 0xFF bytes (NaN in every float type, so that a read beyond the end
// shows in the result too), and outputs and scratch are full of the same before the op runs.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/backend.h"
#include "core/rng.h"

namespace laban::test {

/// One input element after another, in memory order.
using Fill = std::function<double(Rng&)>;
Fill normal(double std = 1, double mean = 0);
Fill uniform(double low, double high);
Fill integers(int64_t low, int64_t high);  // both included
Fill relu_of_normal();                     // half of them zero: what backward sees of a ReLU's output
Fill constant(double value);
Fill sequence(std::vector<double> values);  // again from the first after the last

class OpRig {
 public:
  /// `compute`: that of the backend under test. As the oracle, all floats are stored as f64 instead.
  OpRig(Backend& backend, DType compute, bool oracle, uint64_t seed)
      : backend_(backend), compute_(compute), oracle_(oracle), seed_(seed) {}

  /// Types to ask for; the oracle knows that it stores f64 instead.
  DType compute() const { return compute_; }
  DType master() const { return master_of(compute_); }
  bool oracle() const { return oracle_; }

  /// Filled; must be the same after the op.
  Tensor in(std::string name, Shape shape, DType dtype, const Fill& fill);
  /// Poisoned; the op must write every element.
  Tensor out(std::string name, Shape shape, DType dtype);
  /// Filled; updated by the op.
  Tensor inout(std::string name, Shape shape, DType dtype, const Fill& fill);

  /// Other values in a tensor of this rig, between two ops.
  void refill(const Tensor& tensor, const Fill& fill);

  /// A number that no earlier run used as weights_version: addresses come back, versions do not.
  static uint64_t new_weights_version();

  /// Called with true right before each op runs and with false right after.
  void watch(std::function<void(bool entering)> watcher) { watcher_ = std::move(watcher); }

  template <class Op>
  void run(const Op& op) {
    backend_.prepare(op);
    const size_t bytes = backend_.scratch_bytes(op);
    Scratch scratch;
    if (bytes)
      scratch = {
          make("scratch", Shape::vector(static_cast<int64_t>(bytes)), DType::u8, Kind::scratch, {}).data,
          bytes};
    if (watcher_) watcher_(true);
    backend_.run(op, scratch);
    backend_.synchronize();
    if (watcher_) watcher_(false);
  }

  struct Result {
    std::string tensor;
    DType wanted, stored;  // as the case asked; as this rig kept it
    std::vector<std::byte> bytes;
  };
  /// The tensors that the op wrote, in the order in which the case made them.
  std::vector<Result> results();
  /// Guard bands that changed, inputs that changed: a sentence each.
  std::vector<std::string> violations();

 private:
  enum class Kind { in, out, inout, scratch };
  struct Buffer {
    std::string name;
    Kind kind;
    DType wanted;
    Tensor tensor;
    std::unique_ptr<Memory> memory;
    std::vector<std::byte> initial;  // guard, payload, guard
  };
  Tensor make(std::string name, Shape shape, DType dtype, Kind kind, const Fill& fill);
  void write(Buffer& buffer, const Fill& fill);
  std::vector<std::byte> contents(Buffer& buffer);

  Backend& backend_;
  DType compute_;
  bool oracle_;
  uint64_t seed_;
  uint64_t fills_ = 0;
  std::vector<Buffer> buffers_;
  std::function<void(bool)> watcher_;
};

}  // namespace laban::test
