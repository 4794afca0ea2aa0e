// Finding clips: split.csv, split folders, class folders.
#include "data/dataset.h"

#include <algorithm>
#include <map>
#include <optional>

#include "core/error.h"
#include "data/csv.h"
#include "data/image_folder.h"

namespace laban {
namespace fs = std::filesystem;
namespace {

const std::array<std::string_view, 28> kVideoExtensions{
    ".264",  ".265", ".3g2", ".3gp",  ".asf", ".avi",  ".flv", ".gif", ".h264", ".h265",
    ".hevc", ".ivf", ".jsv", ".m2ts", ".m4v", ".mkv",  ".mov", ".mp4", ".mpeg", ".mpg",
    ".mts",  ".ogm", ".ogv", ".ts",   ".vob", ".webm", ".wmv", ".y4m"};

bool is_video_name(const fs::path& path) {
  return std::ranges::find(kVideoExtensions, lower_extension(path)) != kVideoExtensions.end();
}
bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

/// A folder's entries by name, hidden ones left out: the same on every file system.
std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  try {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder))
      if (!is_hidden(entry.path())) entries.push_back(entry.path());
  } catch (const fs::filesystem_error& error) {
    throw FileError(folder.string(), "the folder cannot be read: " + error.code().message(),
                    "Check the path and its permissions.");
  }
  std::ranges::sort(entries, {}, [](const fs::path& p) { return p.filename().string(); });
  return entries;
}

std::vector<fs::path> folders_of(const fs::path& folder) {
  std::vector<fs::path> folders = entries_of(folder);
  std::erase_if(folders, [](const fs::path& p) { return !fs::is_directory(p); });
  return folders;
}

bool holds_pictures(const fs::path& folder) {
  return std::ranges::any_of(entries_of(folder),
                             [](const fs::path& p) { return fs::is_regular_file(p) && is_picture_name(p); });
}

DatasetItem make_item(const fs::path& root, const fs::path& path, ItemKind kind) {
  DatasetItem item{.path = path, .name = path.lexically_relative(root).generic_string(), .kind = kind};
  item.group = group_of(kind == ItemKind::video ? path.stem().string() : path.filename().string());
  return item;
}

/// Clips in a class folder, at any depth.
void find_clips(Dataset& dataset, const fs::path& folder, const DatasetItem& like, bool top) {
  for (const fs::path& path : entries_of(folder)) {
    const auto add = [&](ItemKind kind) {
      DatasetItem item = make_item(dataset.root, path, kind);
      item.label = like.label, item.split = like.split;
      dataset.items.push_back(std::move(item));
    };
    if (fs::is_directory(path)) {
      if (holds_pictures(path))
        add(ItemKind::frame_folder);
      else
        find_clips(dataset, path, like, false);
    } else if (is_video_name(path)) {
      add(ItemKind::video);
    } else if (is_picture_name(path) && top) {
      throw FileError(path.string(), "a picture lies loose in a class folder",
                      "Give the frames of every clip a folder of their own: CLASS/CLIP/0001.jpg.");
    } else {
      dataset.ignored.push_back(path.lexically_relative(dataset.root).generic_string());
    }
  }
}

std::optional<Split> split_named(std::string_view name) {
  if (name == "train" || name == "training") return Split::train;
  if (name == "val" || name == "valid" || name == "validation" || name == "validate") return Split::validate;
  if (name == "test" || name == "testing") return Split::test;
  return std::nullopt;
}

int label_of(const Dataset& dataset, const std::string& name) {
  const auto at = std::ranges::lower_bound(dataset.classes, name);
  return static_cast<int>(at - dataset.classes.begin());
}

void sort_unique(std::vector<std::string>& names) {
  std::ranges::sort(names);
  const auto rest = std::ranges::unique(names);
  names.erase(rest.begin(), rest.end());
}

void read_split_csv(Dataset& dataset, const fs::path& file) {
  const Csv csv = read_csv(file);
  const size_t path = csv.require_column("path"), label = csv.require_column("label"),
               split = csv.require_column("split");
  const std::optional<size_t> group = csv.column("group");
  for (const Csv::Row& row : csv.rows) dataset.classes.push_back(row.cells[label]);
  sort_unique(dataset.classes);
  for (const Csv::Row& row : csv.rows) {
    const std::string where = text(file.string(), ", line ", row.line);
    const fs::path clip = dataset.root / fs::path(row.cells[path]);
    if (row.cells[label].empty()) throw FileError(where, "the label is empty", "Give every clip a label.");
    if (row.cells[path].empty() || !fs::exists(clip))
      throw FileError(where, "there is no file \"" + row.cells[path] + "\"",
                      "Paths count from the folder that holds split.csv.");
    const std::optional<Split> part = split_named(row.cells[split]);
    if (!part)
      throw FileError(where, "the split is \"" + row.cells[split] + "\"",
                      "Splits are named train, val or test.");
    DatasetItem item =
        make_item(dataset.root, clip, fs::is_directory(clip) ? ItemKind::frame_folder : ItemKind::video);
    item.label = label_of(dataset, row.cells[label]);
    item.split = *part;
    if (group && !row.cells[*group].empty()) item.group = row.cells[*group];
    dataset.items.push_back(std::move(item));
  }
}

void read_class_folders(Dataset& dataset, const fs::path& folder, Split split) {
  for (const fs::path& path : folders_of(folder)) {
    const size_t before = dataset.items.size();
    const DatasetItem like{.label = label_of(dataset, path.filename().string()), .split = split};
    find_clips(dataset, path, like, true);
    if (dataset.items.size() == before)
      throw FileError(path.string(), "the class folder holds no video and no folder of pictures",
                      "Put clips into it, or remove it.");
  }
}

void note_class_names(Dataset& dataset, const fs::path& folder) {
  for (const fs::path& path : folders_of(folder)) dataset.classes.push_back(path.filename().string());
}

void require_learnable(const Dataset& dataset) {
  const std::string root = dataset.root.string();
  if (dataset.classes.empty())
    throw Error(root + ": there are no class folders and no split.csv",
                "Make one folder a class, with its clips inside.");
  if (dataset.classes.size() == 1)
    throw Error(root + ": there is one class only, \"" + dataset.classes[0] + "\"",
                "There is nothing to tell apart: make a folder for every class.");
  for (size_t i = 1; i < dataset.items.size(); ++i)
    if (dataset.items[i].name == dataset.items[i - 1].name)
      throw Error(root + ": the clip \"" + dataset.items[i].name + "\" is listed twice",
                  "Name every clip once.");
}

}  // namespace

std::vector<int> Dataset::of(Split split) const {
  std::vector<int> positions;
  for (size_t i = 0; i < items.size(); ++i)
    if (items[i].split == split) positions.push_back(static_cast<int>(i));
  return positions;
}

std::vector<int> Dataset::require_split(Split split) const {
  std::vector<int> positions = of(split);
  if (!positions.empty()) return positions;
  const std::string name = kSplitNames[static_cast<size_t>(split)];
  throw Error(root.string() + ": no clip is for \"" + name + "\"",
              text("There are ", of(Split::train).size(), " for train, ", of(Split::validate).size(),
                   " for val and ", of(Split::test).size(), " for test; name clips for ", name,
                   " in split.csv or put them into a folder ", name, "."));
}

Dataset open_dataset(const fs::path& root, const SplitSettings& split) {
  if (!fs::is_directory(root))
    throw Error(root.string() + (fs::exists(root) ? ": is not a folder" : ": there is no such folder"),
                "Name the folder that holds the class folders.");
  Dataset dataset{.root = root};
  std::map<Split, fs::path> parts;
  for (const fs::path& path : folders_of(root))
    if (const std::optional<Split> part = split_named(path.filename().string())) {
      if (!parts.emplace(*part, path).second)
        throw Error(root.string() + ": the folders " + parts[*part].filename().string() + " and " +
                        path.filename().string() + " mean the same split",
                    "Keep one of them.");
    }
  bool assign = false;
  if (fs::exists(root / "split.csv")) {
    read_split_csv(dataset, root / "split.csv");
  } else if (parts.contains(Split::train)) {
    for (const auto& [part, folder] : parts) note_class_names(dataset, folder);
    sort_unique(dataset.classes);
    for (const auto& [part, folder] : parts) read_class_folders(dataset, folder, part);
  } else {
    note_class_names(dataset, root);
    sort_unique(dataset.classes);
    read_class_folders(dataset, root, Split::train);
    assign = true;
  }
  std::ranges::sort(dataset.items, {}, &DatasetItem::name);
  std::ranges::sort(dataset.ignored);
  require_learnable(dataset);
  if (assign) assign_splits(dataset, split);
  return dataset;
}

Dataset unlabelled(const std::vector<fs::path>& clips) {
  Dataset dataset;
  for (const fs::path& path : clips) {
    const ItemKind kind = fs::is_directory(path) ? ItemKind::frame_folder : ItemKind::video;
    dataset.items.push_back({.path = path,
                             .name = path.generic_string(),
                             .group = path.generic_string(),
                             .split = Split::test,
                             .kind = kind});
  }
  return dataset;
}

}  // namespace laban
