// Which parts of a network are trained: fine-tuning can leave layers that extract general features unchanged.
#pragma once

#include <string>
#include <vector>

#include "layers/parameter.h"

namespace laban {

struct FreezeSettings {
  /// Layers that are not trained, by name, including everything inside them: "stem", "layer1",
  /// "layer4.0.conv1". Neither their weights nor the statistics of their batch norms change; these normalize
  /// by the running statistics. "backbone" means everything but fc.
  std::vector<std::string> layers = {};
  /// Every batch norm normalizes by its running statistics, which do not change; gamma and beta are trained.
  /// For small batches, whose own statistics are noisy.
  bool norms = false;
  bool operator==(const FreezeSettings&) const = default;
};

/// Marks what is frozen, and everything else as trainable. Throws UsageError if there is no layer of that
/// name, or if nothing would be left to train.
void freeze(const ParameterList& list, const FreezeSettings& settings);

}  // namespace laban
