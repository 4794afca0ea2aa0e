#include "train/loss_weights.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <optional>
#include <set>

#include "core/error.h"
#include "core/text.h"

namespace laban {
namespace {

std::vector<double> balanced(std::span<const int64_t> clips) {
  const auto all = static_cast<double>(std::accumulate(clips.begin(), clips.end(), int64_t{0}));
  const auto filled = static_cast<double>(std::ranges::count_if(clips, [](int64_t n) { return n > 0; }));
  std::vector<double> weights;
  for (const int64_t n : clips) weights.push_back(n > 0 ? all / (filled * static_cast<double>(n)) : 0);
  return weights;
}

/// "2", "0.5": a whole text that is a number of at least 0.
std::optional<double> weight_of(std::string_view word) {
  double weight = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), weight);
  if (error != std::errc() || end != word.data() + word.size() || !std::isfinite(weight) || weight < 0)
    return std::nullopt;
  return weight;
}

}  // namespace

std::vector<double> loss_weights(const std::string& setting, std::span<const std::string> classes,
                                 std::span<const int64_t> clips) {
  if (setting.empty() || setting == "none") return {};
  if (setting == "balanced") return balanced(clips);
  std::vector<double> weights(classes.size(), 1);
  std::set<std::string> named;
  for (const std::string& part : split_at_commas(setting)) {
    const auto refuse = [&](const auto&... what) -> UsageError {
      return UsageError(text("--loss-weights ", setting, ": '", part, "' ", what...),
                        "Write balanced, none, or a list such as --loss-weights waltz=2,tango=0.5");
    };
    const size_t equals = part.rfind('=');
    if (equals == std::string::npos) throw refuse("has no weight");
    const std::string name = part.substr(0, equals);
    const auto weight = weight_of(std::string_view(part).substr(equals + 1));
    if (!weight) throw refuse("has no weight of at least 0");
    const auto found = std::ranges::find(classes, name);
    if (found == classes.end()) throw refuse("is no class; there are ", join(classes));
    if (!named.insert(name).second) throw refuse("names a class for the second time");
    weights[static_cast<size_t>(found - classes.begin())] = *weight;
  }
  for (size_t c = 0; c < classes.size(); ++c)
    if (weights[c] > 0 && clips[c] > 0) return weights;
  throw UsageError(text("--loss-weights ", setting, " leaves no class with training clips a weight"));
}

}  // namespace laban
