// Which clips are for training, validation and test, where nobody said so.
//
// Groups are taken in an order that depends on the seed and their names alone. Each goes to the split that is
// furthest from its share of the group's classes: first to one that has nothing of the class yet, then by
// (target - present - size/2)/target, which for groups of one clip is Webster's method of dividing seats. So
// a class with three groups or more is in every split that has a share.
#include <algorithm>
#include <map>
#include <string_view>

#include "core/error.h"
#include "core/rng.h"
#include "data/dataset.h"

namespace laban {
namespace {

constexpr size_t kSplits = kSplitNames.size();

struct Group {
  std::string name;
  uint64_t order = 0;
  std::vector<size_t> items;
  std::map<int, int> clips_of_class;
};

/// FNV-1a: a name's number, the same on every machine.
uint64_t hash_of(std::string_view name) {
  uint64_t h = 0xcbf29ce484222325u;
  for (const char c : name) h = (h ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  return h;
}

std::vector<Group> groups_in_order(const Dataset& dataset, uint64_t seed) {
  std::map<std::string, Group> by_name;
  for (size_t i = 0; i < dataset.items.size(); ++i) {
    Group& group = by_name[dataset.items[i].group];
    group.items.push_back(i);
    ++group.clips_of_class[dataset.items[i].label];
  }
  std::vector<Group> groups;
  for (auto& [name, group] : by_name) {
    group.name = name;
    group.order = Rng(seed, Purpose::split, hash_of(name)).next_u64();
    groups.push_back(std::move(group));
  }
  std::ranges::sort(groups, [](const Group& a, const Group& b) {
    return std::tie(a.order, a.name) < std::tie(b.order, b.name);
  });
  return groups;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_youtube_letter(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
}

}  // namespace

std::string group_of(const std::string& name) {
  // v_Basketball_g01_c03: up to and with the last _gNN.
  for (size_t at = name.rfind("_g"); at != std::string::npos && at > 0; at = name.rfind("_g", at - 1)) {
    size_t end = at + 2;
    while (end < name.size() && is_digit(name[end])) ++end;
    if (end >= at + 4 && (end == name.size() || name[end] == '_')) return name.substr(0, end);
  }
  // dQw4w9WgXcQ_120: eleven letters of a YouTube id, which may be _ and - too, before the last _<second>.
  const size_t last = name.rfind('_');
  if (last == 11 && last + 1 < name.size() && std::all_of(name.begin() + 12, name.end(), is_digit) &&
      std::all_of(name.begin(), name.begin() + 11, is_youtube_letter))
    return name.substr(0, 11);
  return name;
}

void assign_splits(Dataset& dataset, const SplitSettings& settings) {
  const std::array<double, kSplits> share{settings.train, settings.validate,
                                          1 - settings.train - settings.validate};
  if (!(share[0] > 0) || !(share[1] >= 0) || !(share[2] >= -1e-9))
    throw UsageError(text("clips cannot be split ", share[0], " to train and ", share[1], " to val"),
                     "Choose shares that add up to 1 at most, with something to train on.");
  const size_t classes = dataset.classes.size();
  std::vector<int> clips(classes, 0), groups_of_class(classes, 0);
  const std::vector<Group> groups = groups_in_order(dataset, settings.seed);
  for (const Group& group : groups)
    for (const auto& [label, count] : group.clips_of_class) {
      clips[static_cast<size_t>(label)] += count;
      ++groups_of_class[static_cast<size_t>(label)];
    }
  for (size_t c = 0; c < classes; ++c)
    if (clips[c] >= 3 && groups_of_class[c] == 1)
      throw Error(text(dataset.root.string(), ": all ", clips[c], " clips of class \"", dataset.classes[c],
                       "\" come from one source, by their names"),
                  "Clips of one source stay together, so that this class would be in one split only: add "
                  "other sources, or write a "
                  "split.csv (columns path,label,split).");

  std::vector<std::array<int, kSplits>> present(classes);
  for (const Group& group : groups) {
    size_t best = 0;
    double best_need = -1e300;
    for (size_t s = 0; s < kSplits; ++s) {
      if (!(share[s] > 1e-9)) continue;
      double need = 0;
      for (const auto& [label, count] : group.clips_of_class) {
        const auto c = static_cast<size_t>(label);
        const double target = share[s] * clips[c];
        need += count * (present[c][s] == 0 ? 2 : (target - present[c][s] - count / 2.0) / target);
      }
      if (need > best_need + 1e-12) best_need = need, best = s;
    }
    for (const auto& [label, count] : group.clips_of_class)
      present[static_cast<size_t>(label)][best] += count;
    for (const size_t i : group.items) dataset.items[i].split = static_cast<Split>(best);
  }
}

}  // namespace laban
