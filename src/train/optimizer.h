// Optimizers: one backend op per step over the whole flat parameter arena.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/memory.h"
#include "core/ops/parameter_segment.h"
#include "core/tensor.h"
#include "train/optimizer_settings.h"

namespace laban {

class ParameterStore;

class Optimizer {
 public:
  Optimizer(ParameterStore& store, const OptimizerSettings& settings);

  /// One update from the current gradients, clipped by their norm. If that is not finite, nothing changes,
  /// neither the weights nor the moments. Notifies the store that its weights have changed. Does not wait for
  /// the device.
  void step(double learning_rate);
  /// The Euclidean norm of all gradients in the last step(), before clipping; waits for the device.
  double gradient_norm();

  /// Updates made so far; Adam's bias correction depends on it.
  int64_t steps() const { return steps_; }
  void set_steps(int64_t steps) { steps_ = steps; }

  /// What a checkpoint must contain, by PyTorch's names: "momentum_buffer", or "exp_avg" and "exp_avg_sq".
  /// Flat, laid out like the store's weights.
  struct State {
    std::string name;
    Tensor values;
  };
  const std::vector<State>& state() const { return state_; }
  const std::vector<ParameterSegment>& segments() const { return segments_; }

 private:
  Tensor take(int64_t count, DType dtype);

  ParameterStore& store_;
  OptimizerSettings settings_;
  std::vector<ParameterSegment> segments_;
  std::vector<std::unique_ptr<Memory>> memory_;
  std::vector<State> state_;
  Tensor control_, norm_squared_;
  Scratch norm_scratch_;
  int64_t steps_ = 0;
};

}  // namespace laban
