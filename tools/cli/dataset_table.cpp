#include "cli/dataset_table.h"

#include <algorithm>
#include <array>
#include <set>
#include <vector>

#include "cli/table.h"
#include "core/error.h"

namespace laban::tools {

std::string class_table(const Dataset& dataset) {
  constexpr size_t kSplits = kSplitNames.size();
  std::vector<std::array<int64_t, kSplits>> clips(dataset.classes.size());
  std::vector<std::set<std::string>> sources(dataset.classes.size());
  std::array<int64_t, kSplits> all{};
  std::set<std::string> all_sources;
  for (const DatasetItem& item : dataset.items) {
    ++clips[static_cast<size_t>(item.label)][static_cast<size_t>(item.split)];
    ++all[static_cast<size_t>(item.split)];
    sources[static_cast<size_t>(item.label)].insert(item.group);
    all_sources.insert(item.group);
  }
  Table table({"class", "train", "val", "test", "sum", "sources"}, "lrrrrr");
  const auto add = [&](const std::string& name, const std::array<int64_t, kSplits>& counts, size_t groups) {
    std::vector<std::string> cells{visible(name)};
    int64_t sum = 0;
    for (const int64_t count : counts) {
      cells.push_back(grouped(count));
      sum += count;
    }
    cells.push_back(grouped(sum));
    cells.push_back(grouped(static_cast<int64_t>(groups)));
    table.add(std::move(cells));
  };
  for (size_t c = 0; c < clips.size(); ++c) add(dataset.classes[c], clips[c], sources[c].size());
  table.rule();
  add("all", all, all_sources.size());
  return table.str();
}

std::string ignored_line(const Dataset& dataset) {
  constexpr size_t kShown = 3;
  const std::vector<std::string>& all = dataset.ignored;
  if (all.empty()) return "";
  std::string line =
      text(all.size(), all.size() == 1 ? " other file was" : " other files were", " left alone: ");
  for (size_t i = 0; i < std::min(kShown, all.size()); ++i) line += (i ? ", " : "") + visible(all[i]);
  return line + (all.size() > kShown ? ", ...\n" : "\n");
}

}  // namespace laban::tools
