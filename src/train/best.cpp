#include "train/best.h"

#include <algorithm>
#include <utility>

namespace laban {

BestBy best_by_for(std::span<const int64_t> clips_by_class) {
  int64_t all = 0, most = 0, fewest = INT64_MAX;
  for (const int64_t count : clips_by_class) {
    if (count == 0) continue;
    all += count;
    most = std::max(most, count), fewest = std::min(fewest, count);
  }
  if (all < kFewClips || fewest < kFewOfClass) return BestBy::loss;
  return most >= kUneven * fewest ? BestBy::macro_f1 : BestBy::accuracy;
}

bool is_better(BestBy by, const ValidationScore& a, const ValidationScore& b) {
  if (by == BestBy::loss) return a.loss < b.loss;
  const auto first = [by](const ValidationScore& s) {
    return by == BestBy::macro_f1 ? s.macro_f1 : s.accuracy;
  };
  return std::pair(first(a), -a.loss) > std::pair(first(b), -b.loss);
}

}  // namespace laban
