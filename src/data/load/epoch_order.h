// In which order an epoch shows its clips, and which how often.
#pragma once

#include <cstdint>
#include <vector>

#include "data/dataset/dataset.h"

namespace laban {

struct OrderSettings {
  uint64_t seed = 1;
  bool shuffle = true;
  /// Every class gets the same number of places, or one more or less where they do not divide; of a class's
  /// clips none comes twice as long as another has not come. Wants `shuffle`.
  bool balance = false;
};

/// As many items as there are in `items`, a pure function of the settings and `epoch`.
std::vector<int> epoch_order(const Dataset& dataset, const std::vector<int>& items,
                             const OrderSettings& settings, int64_t epoch);

}  // namespace laban
