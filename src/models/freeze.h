// Which parts of a network learn: fine-tuning leaves the layers that found general features as they are.
#pragma once

#include <string>
#include <vector>

#include "layers/parameter.h"

namespace laban {

struct FreezeSettings {
  /// Layers that do not learn, by name, with all that is within: "stem", "layer1", "layer4.0.conv1". Neither
  /// their weights nor their batch norms' statistics change: these normalize by the running statistics. The
  /// word "backbone" means all but fc.
  std::vector<std::string> layers = {};
  /// Every batch norm normalizes by its running statistics, which stay as they are; gamma and beta learn. For
  /// small batches, whose own statistics are noise.
  bool norms = false;
  bool operator==(const FreezeSettings&) const = default;
};

/// Marks what is frozen, and everything else as learning. Throws UsageError where no layer has such a name,
/// or nothing would be left to learn.
void freeze(const ParameterList& list, const FreezeSettings& settings);

}  // namespace laban
