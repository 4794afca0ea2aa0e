#include "core/nearest_names.h"

#include <algorithm>
#include <utility>

#include "core/text.h"

namespace laban {
namespace {

/// Levenshtein's distance, by dynamic programming over one row.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j < row.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j < row.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::vector<std::string> nearest_names(std::string_view name, const std::vector<std::string>& known) {
  constexpr size_t kShortestPrefix = 3, kMost = 3;
  const size_t farthest = std::max<size_t>(2, name.size() / 3);
  std::vector<std::pair<size_t, std::string>> ranked;
  for (const std::string& other : known) {
    const size_t d = distance(name, other);
    if (d <= farthest)
      ranked.emplace_back(d, other);
    else if (name.size() >= kShortestPrefix && std::string_view(other).starts_with(name))
      ranked.emplace_back(farthest + 1, other);
  }
  std::ranges::stable_sort(ranked, {}, [](const auto& entry) { return entry.first; });
  std::vector<std::string> names;
  for (const auto& [d, other] : ranked)
    if (names.size() < kMost) names.push_back(other);
  return names;
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& known) {
  constexpr size_t kListed = 40;
  const std::vector<std::string> near = nearest_names(name, known);
  std::string advice;
  if (!near.empty()) {
    advice = "Did you mean " + near.front();
    for (size_t i = 1; i < near.size(); ++i) advice += (i + 1 < near.size() ? ", " : " or ") + near[i];
    advice += '?';
  }
  if (near.empty() || known.size() <= kListed) append(advice, "Available: " + join(known) + ".", " ");
  return advice;
}

}  // namespace laban
