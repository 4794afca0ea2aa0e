#include "train/best.h"

#include <algorithm>
#include <utility>

namespace laban {

BestBy best_by_for(std::span<const int64_t> clips_by_class, bool patience) {
  int64_t all = 0, most = 0, fewest = INT64_MAX;
  for (const int64_t count : clips_by_class) {
    if (count == 0) continue;
    all += count;
    most = std::max(most, count), fewest = std::min(fewest, count);
  }
  if (all < kTooFewClips && !patience) return BestBy::last;
  if (all < kFewClips || fewest < kFewOfClass) return BestBy::loss;
  return most >= kUneven * fewest ? BestBy::macro_f1 : BestBy::accuracy;
}

std::string by_what(BestBy by) {
  switch (by) {
    case BestBy::loss:
      return " by validation loss";
    case BestBy::accuracy:
      return " by validation accuracy";
    case BestBy::macro_f1:
      return " by validation macro-F1";
    case BestBy::last:
      return ", the last";
    case BestBy::automatic:
      break;
  }
  return "";
}

bool is_better(BestBy by, const ValidationScore& a, const ValidationScore& b) {
  if (by == BestBy::last) return true;
  if (by == BestBy::loss) return a.loss < b.loss;
  const auto first = [by](const ValidationScore& s) {
    return by == BestBy::macro_f1 ? s.macro_f1 : s.accuracy;
  };
  return std::pair(first(a), -a.loss) > std::pair(first(b), -b.loss);
}

}  // namespace laban
