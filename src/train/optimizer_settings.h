// Which optimizer, as settings.
#pragma once

#include <map>
#include <string>

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

}  // namespace laban
