// Optimizers: one backend op per step over the whole flat parameter arena.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "layers/parameter.h"

namespace laban {

enum class OptimizerKind { sgd, adam, adamw };

struct OptimizerSettings {
  OptimizerKind kind = OptimizerKind::adamw;
  double momentum = 0.9;                          // sgd
  bool nesterov = false;                          // sgd
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;  // adam, adamw
  double weight_decay = 0.01;
  bool decay_norms = true;  // also decay vectors: batch norm's gamma and beta, and biases
  double clip_norm = 0;     // > 0: gradients are scaled down to this norm
  /// Learning-rate factors by prefix of a parameter's name ("stem", "layer4.1", "fc"); the longest prefix
  /// counts, 0 freezes (including weight decay). Throws UsageError if no parameter has the prefix.
  std::map<std::string, double> lr_scales = {};
  bool operator==(const OptimizerSettings&) const = default;
};

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
