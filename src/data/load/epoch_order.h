// The order of an epoch's clips, and how often each appears.
#pragma once

#include <cstdint>
#include <vector>

#include "data/dataset/dataset.h"

namespace laban {

struct OrderSettings {
  uint64_t seed = 1;
  bool shuffle = true;
  /// Every class gets the same number of samples, give or take one if they do not divide evenly; no clip of a
  /// class appears twice before all others have appeared. Requires `shuffle`.
  bool balance = false;
};

/// As many entries as `items` has; a pure function of the settings and `epoch`.
std::vector<int> epoch_order(const Dataset& dataset, const std::vector<int>& items,
                             const OrderSettings& settings, int64_t epoch);

}  // namespace laban
