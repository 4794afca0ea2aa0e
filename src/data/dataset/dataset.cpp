// Opening a dataset: which layout fits, and what every dataset must have.
#include "data/dataset/dataset.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/utf8.h"
#include "data/dataset/clip_files.h"
#include "data/dataset/csv.h"
#include "data/dataset/layouts.h"
#include "data/picture/image_folder.h"

namespace laban {
namespace fs = std::filesystem;
namespace {

const Layout& layout_called(const std::string& name) {
  std::string known = "auto";
  for (const Layout& layout : all_layouts()) {
    if (name == layout.name) return layout;
    known += text(", ", layout.name);
  }
  throw UsageError(text("there is no dataset layout \"", name, "\""), "Available: " + known + ".");
}

/// "csv: expected split.csv (columns path,label,split); found no split.csv", ...
std::string what_was_looked_for(const fs::path& root, const DatasetSettings& settings) {
  std::string lines;
  for (const Layout& layout : all_layouts())
    lines += text("\n    ", layout.name, ": expected ", layout.looks_for, "; found ",
                  layout.look(root, settings).found);
  return lines;
}

/// The first layout that fits, or the requested one.
const Layout& choose_layout(Dataset& dataset, const DatasetSettings& settings) {
  if (settings.layout != "auto") {
    const Layout& layout = layout_called(settings.layout);
    const Look look = layout.look(dataset.root, settings);
    if (!look.fits)
      throw Error(text(dataset.root.string(), ": does not have the layout \"", layout.name, "\": expected ",
                       layout.looks_for, "; found ", look.found),
                  "Choose another --layout, or use --layout auto to detect it.");
    return layout;
  }
  std::string unread;
  for (const Layout& layout : all_layouts()) {
    const Look look = layout.look(dataset.root, settings);
    const bool draws = layout.read == read_flat || layout.read == read_class_folders;
    if (look.fits && draws && !unread.empty() && !settings.undivided)
      throw Error(
          text(dataset.root.string(), ": cannot be read, but seems to assign the clips to splits: ", unread),
          text("Correct it (docs/data.md shows what a list looks like), or move it elsewhere; --layout ",
               layout.name, " splits all clips anew, those of your test split too."));
    if (look.fits) return layout;
    if (!look.warning.empty()) dataset.notes.push_back(look.warning);
    if (!look.unread_split.empty()) unread = look.unread_split;
  }
  const auto is_shard = [](const std::string& file) { return file.ends_with(".labanshard"); };
  const bool unfinished = std::ranges::any_of(list_folder(dataset.root).files, is_shard);
  throw NoDataset(
      text(dataset.root.string(), ": no dataset found", what_was_looked_for(dataset.root, settings)),
      unfinished ? "It is a cache that is not finished: run the same `laban cache` command again."
                 : "Create one folder per class, with its clips inside; docs/data.md shows all layouts.");
}

void require_learnable(const Dataset& dataset) {
  const std::string root = dataset.root.string();
  if (dataset.classes.empty()) throw Error(root + ": no clips are listed", "List clips with their classes.");
  if (dataset.classes.size() == 1 && !dataset.undivided)
    throw Error(
        root + ": only one class found, \"" + dataset.classes[0] + "\"; at least two are needed",
        "Create one folder per class. If the class folders are deeper, give the folder directly above them.");
  for (size_t i = 1; i < dataset.items.size(); ++i)
    if (dataset.items[i].name == dataset.items[i - 1].name)
      throw Error(text(root, ": the clip \"", dataset.items[i].name, "\" is listed twice (for ",
                       kSplitNames[static_cast<size_t>(dataset.items[i - 1].split)], " and ",
                       kSplitNames[static_cast<size_t>(dataset.items[i].split)], ")"),
                  "List every clip once.");
}

/// Throws Error where names are not UTF-8: no JSON, TOML or safetensors file could hold them as they are, and a
/// run that cannot be resumed or evaluated must not begin.
void require_names(const Dataset& dataset) {
  std::vector<std::string_view> wrong;
  const auto look = [&](std::string_view name) {
    if (!is_utf8(name)) wrong.push_back(name);
  };
  const std::string root = dataset.root.string();
  look(root);
  for (const std::string& name : dataset.classes) look(name);
  for (const DatasetItem& item : dataset.items) {
    look(item.name);
    look(item.path.native());
  }
  if (wrong.empty()) return;
  throw Error(
      text(visible(root), ": the name \"", visible(wrong.front()), "\"",
           wrong.size() > 1 ? " (and others)" : "",
           " is not UTF-8, the only encoding in which laban's files can hold it"),
      "Rename it; for many names: convmv -f latin1 -t utf8 -r --notest FOLDER. A list of clips can be "
      "converted with: iconv -f latin1 -t utf8.");
}

/// Throws Error for the first clip that lies, links followed, neither below the root nor below the media folder.
void require_confined(const Dataset& dataset, const fs::path& media) {
  std::error_code failed;
  const fs::path root = fs::weakly_canonical(dataset.root, failed),
                 other = media.empty() ? root : fs::weakly_canonical(media, failed);
  const auto inside = [](const fs::path& path, const fs::path& folder) {
    const fs::path relative = path.lexically_relative(folder);
    return !relative.empty() && *relative.begin() != "..";
  };
  for (const DatasetItem& item : dataset.items) {
    const fs::path path = fs::weakly_canonical(item.path, failed);
    if (!inside(path, root) && !inside(path, other))
      throw Error(text(visible(dataset.root.string()), ": the clip \"", visible(item.name),
                       "\" lies outside, at ", visible(path.string()), ", which --confine forbids"),
                  "Remove it from the list, give the folder of the clips as --media, or omit --confine.");
  }
}

/// Looks into one folder of pictures of each class, and says if it holds other pictures than the clip's. FileError if
/// nothing tells which of several series the clip is; not so if what cannot be read is kept.
void tell_series(Dataset& dataset, const DatasetSettings& settings) {
  std::vector<bool> seen(dataset.classes.size(), false);
  std::vector<std::string> found;
  for (const DatasetItem& item : dataset.items) {
    const auto label = static_cast<size_t>(item.label);
    if (item.kind != ItemKind::frame_folder || !item.filename_pattern.empty() || seen[label]) continue;
    seen[label] = true;
    std::string chosen;
    try {
      chosen = list_frames(item.path).chosen;
    } catch (const SeveralSeries&) {
      if (!settings.keep_missing) throw;
    } catch (const FileError&) {  // whoever reads the clip reports it
    }
    if (!chosen.empty()) found.push_back(text(visible(item.name), ": ", chosen));
  }
  if (found.empty()) return;
  dataset.notes.push_back(text(found.front(), found.size() > 1 ? "; likewise in other folders" : "",
                               " (--filename-pattern chooses the pictures)"));
}

/// Reads a file: an index or another table, or an annotation list.
void read_file_of_clips(Dataset& dataset, const fs::path& file, const DatasetSettings& settings) {
  if (is_video_name(file) || is_picture_name(file))
    throw Error(file.string() + ": is a clip, not a dataset",
                "Give the folder that contains the class folders.");
  if (file.filename() == kIndexFile || file.filename() == "split.csv") {
    dataset.layout = file.filename() == kIndexFile ? "index" : "csv";
    read_table(dataset, file, settings);
  } else {
    dataset.layout = "lists";
    read_list_file(dataset, file, settings);
  }
}

void add_unlabeled(Dataset& dataset, const fs::path& path, ItemKind kind) {
  dataset.items.push_back({.path = path,
                           .name = path.generic_string(),
                           .group = path.generic_string(),
                           .split = Split::test,
                           .kind = kind});
}

void add_clips_within(Dataset& dataset, const fs::path& folder, int depth) {
  constexpr int kDeepest = 12;  // a link to a folder above would never end
  if (depth > kDeepest)
    throw FileError(folder.string(), text("folders lie ", kDeepest, " deep inside of each other"),
                    "Is one of them a link to a folder above it?");
  const Listing listing = list_folder(folder);
  bool videos = false;
  for (const std::string& file : listing.files)
    if (is_video_name(file)) {
      add_unlabeled(dataset, folder / file, ItemKind::video);
      videos = true;
    }
  if (!videos && holds_pictures(folder)) {
    add_unlabeled(dataset, folder, ItemKind::frame_folder);
    return;
  }
  for (const std::string& name : listing.folders) add_clips_within(dataset, folder / name, depth + 1);
}

/// The clips that a text file lists; false if it is no such file.
bool add_listed(Dataset& dataset, const fs::path& path) {
  constexpr std::array<std::string_view, 5> kLists{".txt", ".csv", ".tsv", ".lst", ".list"};
  std::error_code failed;
  if (std::ranges::find(kLists, lower_extension(path)) == kLists.end() || !fs::is_regular_file(path, failed))
    return false;
  const std::vector<std::string> listed = read_list_paths(path);
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  MediaFolder media(folder, folder, {});
  if (listed.empty() || !media.choose(listed)) return false;
  for (const std::string& name : listed) {
    const fs::path clip = media.locate(name);
    if (name.starts_with('#') && !fs::exists(clip, failed)) continue;
    // A header, perhaps; any other name that does not exist is a clip that cannot be read.
    if (&name == &listed.front() && !fs::exists(clip, failed) && !is_video_name(name)) continue;
    add_unlabeled(dataset, clip, fs::is_directory(clip, failed) ? ItemKind::frame_folder : ItemKind::video);
  }
  return true;
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
  throw Error(root.string() + ": the split \"" + name + "\" is empty",
              text("There are ", of(Split::train).size(), " clips in train, ", of(Split::val).size(),
                   " in val and ", of(Split::test).size(), " in test; assign clips to ", name,
                   " in split.csv, or put them into a folder ", name, "."));
}

Dataset open_dataset(const fs::path& path, const DatasetSettings& settings) {
  Dataset dataset{.root = path};
  std::error_code failed;
  const fs::file_status status = fs::status(path, failed);
  if (fs::is_directory(status)) {
    const Layout& layout = choose_layout(dataset, settings);
    dataset.layout = layout.name;
    layout.read(dataset, settings);
  } else if (fs::is_regular_file(status)) {
    dataset.root = path.has_parent_path() ? path.parent_path() : fs::path(".");
    read_file_of_clips(dataset, dataset.root / path.filename(), settings);
  } else {
    throw Error(path.string() + (fs::exists(status) ? ": is neither a folder nor a list"
                                 : status.type() == fs::file_type::not_found ? ": there is no such folder"
                                                                             : ": " + failed.message()),
                "Give the folder that contains the class folders, or a list of clips.");
  }
  std::ranges::sort(dataset.items, {}, &DatasetItem::name);
  std::ranges::sort(dataset.ignored);
  require_learnable(dataset);
  require_names(dataset);
  if (settings.confine) require_confined(dataset, settings.media);
  tell_series(dataset, settings);
  return dataset;
}

std::string index_text(const Dataset& dataset, const fs::path& folder) {
  const auto any = [&](auto has) { return std::ranges::any_of(dataset.items, has); };
  const bool frames = any([](const DatasetItem& i) { return !i.filename_pattern.empty(); });
  const bool range = any([](const DatasetItem& i) { return i.range.has_value(); });
  const auto plain_name = [&](const DatasetItem& i) {
    return name_in(dataset.root, i.path) + range_suffix(i.range);
  };
  const bool named = any([&](const DatasetItem& i) { return i.name != plain_name(i); });
  std::string out = text(kIndexHeader, dataset.items.size(), " clips in ", dataset.classes.size(),
                         " classes, layout ", dataset.layout, "\npath,label,split,group",
                         frames ? ",frames" : "", range ? ",first,count" : "", named ? ",name" : "", "\n");
  for (const DatasetItem& item : dataset.items) {
    out += text(csv_cell(name_in(folder, item.path)), ',',
                csv_cell(dataset.classes[static_cast<size_t>(item.label)]), ',',
                kSplitNames[static_cast<size_t>(item.split)], ',', csv_cell(item.group));
    if (frames) out += ',' + csv_cell(item.filename_pattern);
    if (range && item.range)
      out += text(',', item.range->first ? std::to_string(*item.range->first) : "", ',', item.range->count);
    else if (range)
      out += ",,";
    if (named) out += ',' + csv_cell(item.name);
    out += '\n';
  }
  return out;
}

Dataset unlabeled(const std::vector<fs::path>& clips) {
  Dataset dataset;
  for (const fs::path& path : clips) {
    std::error_code failed;  // ignored: reading the clip reports the reason
    if (add_listed(dataset, path)) continue;
    if (!fs::is_directory(path, failed)) {
      add_unlabeled(dataset, path, ItemKind::video);
      continue;
    }
    const size_t before = dataset.items.size();
    add_clips_within(dataset, path, 0);
    if (dataset.items.size() == before)
      throw FileError(path.string(), "there are no videos or pictures in this folder",
                      "Give video files, folders of videos, or folders with a clip's frames.");
  }
  require_names(dataset);
  return dataset;
}

}  // namespace laban
