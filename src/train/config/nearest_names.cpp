#include "train/config/nearest_names.h"

#include <algorithm>
#include <utility>

#include "core/text.h"

namespace laban {

std::vector<std::string> nearest_names(std::string_view name, const std::vector<std::string>& known) {
  // Levenshtein's distance by dynamic programming over one row.
  const auto distance = [&](std::string_view other) {
    std::vector<size_t> row(other.size() + 1);
    for (size_t j = 0; j < row.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= name.size(); ++i) {
      size_t diagonal = row[0];
      row[0] = i;
      for (size_t j = 1; j < row.size(); ++j) {
        const size_t replaced = diagonal + (name[i - 1] == other[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
      }
    }
    return row.back();
  };
  std::vector<std::pair<size_t, std::string>> ranked;
  for (const std::string& other : known) {
    const size_t d = distance(other);
    if (d <= std::max<size_t>(2, name.size() / 3)) ranked.emplace_back(d, other);
  }
  std::ranges::stable_sort(ranked, {}, [](const auto& entry) { return entry.first; });
  std::vector<std::string> names;
  for (const auto& [d, other] : ranked)
    if (names.size() < 3) names.push_back(other);
  return names;
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& known) {
  const std::vector<std::string> near = nearest_names(name, known);
  return near.empty() ? "Available: " + join(known) + "." : "Did you mean " + join(near, " or ") + "?";
}

}  // namespace laban
