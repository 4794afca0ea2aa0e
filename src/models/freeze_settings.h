// Which parts of a network are trained, as settings.
#pragma once

#include <string>
#include <vector>

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

}  // namespace laban
