// Divides clips into training, validation and test if the dataset does not.
//
// Groups are assigned in an order that depends only on the seed and their names. Each goes to the split that
// is furthest below its target for the group's classes: first to one that has nothing of the class yet, then
// by (target - present - size/2)/target, which for groups of one clip is Webster's apportionment method. So a
// class with three or more groups is in every split with a nonzero fraction.
#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "core/error.h"
#include "core/hash.h"
#include "core/rng.h"
#include "data/dataset/layouts.h"

namespace laban {
namespace {

constexpr size_t kSplits = kSplitNames.size();

struct Group {
  std::string name;
  uint64_t order = 0;
  std::vector<size_t> items;
  std::map<int, int> clips_of_class;
};

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
    group.order = Rng(seed, Purpose::split, fnv1a(name)).next_u64();
    groups.push_back(std::move(group));
  }
  std::ranges::sort(groups, [](const Group& a, const Group& b) {
    return std::tie(a.order, a.name) < std::tie(b.order, b.name);
  });
  return groups;
}

constexpr std::string_view kNoValidation = "the lists define no validation clips";

constexpr size_t kYoutubeId = 11;

void validate(const SplitSettings& s) {
  if (!(s.train > 0) || !(s.val >= 0) || !(s.train + s.val <= 1 + 1e-9))
    throw UsageError(text("clips cannot be split ", s.train, " to train and ", s.val, " to val"),
                     "Choose fractions that add up to at most 1, with more than 0 for training.");
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_youtube_letter(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
}

/// Assigns every item to a split.
void assign(Dataset& dataset, const SplitSettings& settings) {
  const std::array<double, kSplits> fraction{settings.train, settings.val, 1 - settings.train - settings.val};
  const size_t classes = dataset.classes.size();
  std::vector<int> clips(classes, 0);
  for (const DatasetItem& item : dataset.items) ++clips[static_cast<size_t>(item.label)];
  std::vector<std::array<int, kSplits>> present(classes);
  for (const Group& group : groups_in_order(dataset, settings.seed)) {
    size_t best = 0;
    double best_need = -1e300;
    for (size_t s = 0; s < kSplits; ++s) {
      if (!(fraction[s] > 1e-9)) continue;
      double need = 0;
      for (const auto& [label, count] : group.clips_of_class) {
        const auto c = static_cast<size_t>(label);
        const double target = fraction[s] * clips[c];
        need += count * (present[c][s] == 0 ? 2 : (target - present[c][s] - count / 2.0) / target);
      }
      if (need > best_need + 1e-12) best_need = need, best = s;
    }
    for (const auto& [label, count] : group.clips_of_class)
      present[static_cast<size_t>(label)][best] += count;
    for (const size_t i : group.items) dataset.items[i].split = static_cast<Split>(best);
  }
}

/// Ranges of a file share it. Loose pictures share a folder and clips in a shard a file without being one clip: their
/// names count.
std::string file_of(const Dataset& dataset, const DatasetItem& item) {
  const bool loose = item.kind == ItemKind::frame_folder && !item.filename_pattern.empty();
  return item.kind == ItemKind::cached || loose ? item.name : name_in(dataset.root, item.path);
}

bool begins_as_youtube_id(const std::string& name) {
  return name.size() > kYoutubeId && std::all_of(name.begin(), name.begin() + kYoutubeId, is_youtube_letter);
}

}  // namespace

std::string group_of(const std::string& name) {
  // v_Basketball_g01_c03: up to and with the last _gNN.
  for (size_t at = name.rfind("_g"); at != std::string::npos && at > 0; at = name.rfind("_g", at - 1)) {
    size_t end = at + 2;
    while (end < name.size() && is_digit(name[end])) ++end;
    if (end >= at + 4 && (end == name.size() || name[end] == '_')) return name.substr(0, end);
  }
  // dQw4w9WgXcQ_120, dQw4w9WgXcQ_000010_000020: the eleven characters of the id may include _ and -.
  if (!begins_as_youtube_id(name) || name[kYoutubeId] != '_') return name;
  const std::string rest = name.substr(kYoutubeId + 1);
  const size_t middle = rest.find('_');
  const auto number = [](const std::string& part) {
    return !part.empty() && std::ranges::all_of(part, is_digit);
  };
  const bool times = middle == std::string::npos
                         ? number(rest)
                         : number(rest.substr(0, middle)) && number(rest.substr(middle + 1));
  return times ? name.substr(0, kYoutubeId) : name;
}

void assign_splits(Dataset& dataset, const SplitSettings& settings) {
  validate(settings);
  dataset.drawn = DrawnSplits::all;
  if (settings.by == SplitBy::file)
    for (DatasetItem& item : dataset.items) item.group = file_of(dataset, item);
  std::vector<std::set<std::string>> groups(dataset.classes.size());
  std::vector<int> clips(dataset.classes.size(), 0);
  for (const DatasetItem& item : dataset.items) {
    groups[static_cast<size_t>(item.label)].insert(item.group);
    ++clips[static_cast<size_t>(item.label)];
  }
  for (size_t c = 0; c < groups.size(); ++c)
    if (clips[c] >= 3 && groups[c].size() == 1)
      throw Error(text(dataset.root.string(), ": all ", clips[c], " clips of class \"", dataset.classes[c],
                       "\" come from one source, judging by their names"),
                  "Clips from one source stay together, so this class would be in only one split: add other "
                  "sources, or write a split.csv (columns path,label,split).");
  assign(dataset, settings);
}

bool is_note_on_val(const std::string& note) { return note.starts_with(kNoValidation); }

void draw_val(Dataset& dataset, const SplitSettings& settings) {
  validate(settings);
  const double fraction = settings.val / (settings.train + settings.val);
  Dataset training{.root = dataset.root, .classes = dataset.classes};
  std::vector<size_t> places;
  for (size_t i = 0; i < dataset.items.size(); ++i)
    if (dataset.items[i].split == Split::train) {
      if (settings.by == SplitBy::file) dataset.items[i].group = file_of(dataset, dataset.items[i]);
      training.items.push_back(dataset.items[i]);
      places.push_back(i);
    }
  if (!(fraction > 0) || places.empty()) return;
  assign(training, {.seed = settings.seed, .train = 1 - fraction, .val = fraction});
  for (size_t i = 0; i < places.size(); ++i) dataset.items[places[i]].split = training.items[i].split;
  dataset.drawn = DrawnSplits::val;
  dataset.notes.push_back(
      text(kNoValidation, ": ", training.of(Split::val).size(), " of their ", places.size(),
           " training clips were set aside for validation, by source (--val-fraction 0: none)"));
}

}  // namespace laban
