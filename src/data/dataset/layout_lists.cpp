// Annotation lists: train.txt, val.txt, test.txt as video toolkits write them, or one list of everything.
#include <algorithm>
#include <map>
#include <set>

#include "core/error.h"
#include "core/files.h"
#include "data/dataset/annotation_list.h"
#include "data/dataset/layouts.h"
#include "data/dataset/list_search.h"
#include "data/picture/image_folder.h"

namespace laban {
namespace fs = std::filesystem;
namespace {

// ---- names of classes --------------------------------------------------------------------------------

std::optional<int64_t> whole_number(const std::string& text) {
  if (text.empty() || text.size() > 9 || text.find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  return std::stoll(text);
}

/// Parses "NAME" (by line, from 0), "NUMBER NAME" or "NAME NUMBER" (also with a comma).
std::map<int64_t, std::string> read_class_names(const fs::path& file) {
  std::map<int64_t, std::string> names;
  const std::string all = read_file(file);
  int64_t line = 0;
  for (size_t at = 0; at < all.size();) {
    const size_t end = std::min(all.find('\n', at), all.size());
    std::string row = all.substr(at, end - at);
    at = end + 1;
    while (!row.empty() && (row.back() == '\r' || row.back() == ' ' || row.back() == '\t')) row.pop_back();
    if (row.empty() || row[0] == '#') continue;
    const size_t first = row.find_first_of(" \t,"), last = row.find_last_of(" \t,");
    if (first != std::string::npos) {
      if (const auto number = whole_number(row.substr(0, first))) {
        names[*number] = row.substr(row.find_first_not_of(" \t,", first));
        continue;
      }
      if (const auto number = whole_number(row.substr(last + 1))) {
        names[*number] = row.substr(0, row.find_last_not_of(" \t,", last) + 1);
        continue;
      }
    }
    names[line++] = row;
  }
  return names;
}

/// Names for numeric labels: from a file next to the lists, else from the clips' folders if every label has
/// its own, else the numbers themselves.
class ClassNames {
 public:
  ClassNames(Dataset& dataset, const std::vector<FoundList>& lists) {
    for (const FoundList& found : lists)
      for (const AnnotationRow& row : found.list.rows) {
        labels_.insert(row.label);
        const fs::path folder = fs::path(row.path).parent_path();
        folders_[row.label].insert(folder.empty() ? "" : folder.filename().string());
      }
    numbers_ = std::ranges::all_of(labels_,
                                   [](const std::string& label) { return whole_number(label).has_value(); });
    if (!numbers_) return;
    if (!from_file(dataset, lists)) from_folders();
  }

  /// In the order of the labels, numeric ones by value.
  std::vector<std::string> classes() const {
    std::vector<std::string> labels(labels_.begin(), labels_.end());
    if (numbers_)
      std::ranges::sort(labels, {}, [](const std::string& label) { return *whole_number(label); });
    for (std::string& label : labels) label = name(label);
    return labels;
  }
  std::string name(const std::string& label) const {
    const auto found = names_.find(label);
    return found == names_.end() ? label : found->second;
  }

 private:
  bool from_file(Dataset& dataset, const std::vector<FoundList>& lists) {
    std::vector<fs::path> places{dataset.root};
    for (const FoundList& found : lists) places.push_back(found.file.parent_path());
    std::set<fs::path> seen;
    for (const fs::path& folder : places) {
      if (!seen.insert(folder).second) continue;
      for (const std::string& file : list_folder(folder).files) {
        const std::string extension = lower_extension(file);
        if ((extension != ".txt" && extension != ".csv") || !names_classes(file)) continue;
        if (take(read_class_names(folder / file))) return true;
        dataset.notes.push_back(
            text((folder / file).string(), " does not name every label in the lists, so it was ignored"));
      }
    }
    return false;
  }

  bool take(const std::map<int64_t, std::string>& file) {
    std::map<std::string, std::string> names;
    std::set<std::string> different;
    for (const std::string& label : labels_) {
      const auto found = file.find(*whole_number(label));
      if (found == file.end() || !different.insert(found->second).second) return false;
      names[label] = found->second;
    }
    names_ = std::move(names);
    return true;
  }

  void from_folders() {
    std::map<std::string, std::string> names;
    std::set<std::string> different;
    for (const auto& [label, folders] : folders_) {
      if (folders.size() != 1 || folders.begin()->empty() || !different.insert(*folders.begin()).second)
        return;
      names[label] = *folders.begin();
    }
    names_ = std::move(names);
  }

  std::set<std::string> labels_;
  std::map<std::string, std::set<std::string>> folders_;  // of the clips of each label
  std::map<std::string, std::string> names_;
  bool numbers_ = false;
};

// ---- clips -------------------------------------------------------------------------------------------

void add_list(Dataset& dataset, const FoundList& found, const ClassNames& names,
              const DatasetSettings& settings, MissingClips& missing) {
  MediaFolder media(dataset.root, found.file.parent_path(), settings);
  std::vector<std::string> paths;
  for (const AnnotationRow& row : found.list.rows) paths.push_back(row.path);
  if (!media.choose(paths) && !settings.keep_missing)
    throw FileError(text(found.file.string(), ", line ", found.list.rows.front().line),
                    text("\"", paths.front(),
                         "\" does not exist, nor does any other clip in the list; searched ", media.tried()),
                    "Paths are relative to the list's folder, or to --media DIR.");
  const std::string filename_pattern =
      settings.filename_pattern.empty() ? "" : FilenamePattern::parse(settings.filename_pattern).pattern();
  for (const AnnotationRow& row : found.list.rows) {
    const fs::path clip = media.locate(row.path);
    std::error_code failed;
    if (!fs::exists(clip, failed)) missing.add(found.file, row.line, row.path);
    DatasetItem item = make_item(dataset.root, clip,
                                 fs::is_directory(clip, failed) ? ItemKind::frame_folder : ItemKind::video);
    item.label = label_of(dataset, names.name(row.label));
    item.range = row.range;
    item.name += range_suffix(row.range);
    if (item.kind == ItemKind::frame_folder) item.filename_pattern = filename_pattern;
    if (!row.group.empty()) item.group = row.group;
    item.split = found.split.value_or(Split::train);
    if (found.list.has_split) {
      const std::optional<Split> part = split_named(row.split);
      if (!part)
        throw FileError(text(found.file.string(), ", line ", row.line),
                        text("the split is \"", row.split, "\""), "It must be train, val or test.");
      item.split = *part;
    }
    dataset.items.push_back(std::move(item));
  }
}

void require_one_label_each(const std::vector<FoundList>& lists) {
  std::set<std::string> labels;
  for (const FoundList& found : lists)
    for (const AnnotationRow& row : found.list.rows) labels.insert(row.label);
  for (const FoundList& found : lists)
    for (const AnnotationRow& row : found.list.rows)
      if (names_several(row.label, labels))
        refuse_labels(text(found.file.string(), ", line ", row.line), row.label);
}

/// PATH LABEL LABEL looks like PATH NUM_FRAMES LABEL: if no number of frames exceeds the largest label, they
/// may be labels.
void tell_doubtful_counts(Dataset& dataset, const FoundList& found) {
  int64_t longest = 0, largest = 0;
  for (const AnnotationRow& row : found.list.rows) {
    const std::optional<int64_t> label = whole_number(row.label);
    if (!row.range || row.range->first || !label) return;
    longest = std::max(longest, row.range->count), largest = std::max(largest, *label);
  }
  if (longest <= largest)
    dataset.notes.push_back(text(found.file.string(),
                                 ": rows are interpreted as PATH NUM_FRAMES LABEL, with clips of at most ",
                                 longest, " frames; if they have two labels, keep one"));
}

void add_lists(Dataset& dataset, const std::vector<FoundList>& lists, const DatasetSettings& settings) {
  require_one_label_each(lists);
  for (const FoundList& found : lists) tell_doubtful_counts(dataset, found);
  const ClassNames names(dataset, lists);
  dataset.classes = names.classes();
  MissingClips missing;
  for (const FoundList& found : lists) add_list(dataset, found, names, settings, missing);
  missing.settle(dataset, static_cast<int64_t>(dataset.items.size()), settings);
}

/// If lists are assigned to splits by name, one that cannot be used leaves its split without clips; these are
/// not replaced by others.
void require_nothing_lost(const fs::path& root, const ListSearch& search) {
  std::set<Split> there;
  std::vector<std::string> used;
  for (const FoundList& found : search.lists) {
    if (found.split) there.insert(*found.split);
    used.push_back(found.file.filename().string());
  }
  if (there.empty()) return;
  for (const auto& [part, why] : search.lost)
    if (!there.contains(part))
      throw Error(text(root.string(), ": cannot be used: ", why, ", which is named as the list for ",
                       kSplitNames[static_cast<size_t>(part)], "; there is ", some_of(used)),
                  "Correct it, move it elsewhere if it is not a list, or select one list: --data LIST.");
}

}  // namespace

Look look_for_lists(const fs::path& root, const DatasetSettings& settings) {
  const ListSearch search(root, settings);
  if (search.lists.empty()) {
    const std::string none = search.other_folds ? "only lists of other folds" : "no list";
    return {false,
            search.not_lists.empty() ? none
                                     : "no list of existing clips; not usable: " + some_of(search.not_lists),
            search.meant.empty() ? "" : "not used as a list: " + some_of(search.meant)};
  }
  std::vector<std::string> names;
  for (const FoundList& found : search.lists) names.push_back(found.file.filename().string());
  return {true, some_of(names)};
}

void read_lists(Dataset& dataset, const DatasetSettings& settings) {
  const ListSearch search(dataset.root, settings);
  if (search.lists.empty())
    throw Error(
        text(dataset.root.string(), ": there is no annotation list whose clips exist",
             search.not_lists.empty() ? "" : "; examined " + some_of(search.not_lists)),
        "Rows have the form PATH LABEL, PATH NUM_FRAMES LABEL or PATH START END LABEL; paths are relative to "
        "the list's folder, or to --media DIR.");
  require_nothing_lost(dataset.root, search);
  std::map<Split, const FoundList*> parts;
  for (const FoundList& found : search.lists) {
    if (search.lists.size() == 1) break;
    if (!found.split)
      throw Error(text(dataset.root.string(), ": there are several lists, and the name of ",
                       found.file.filename().string(), " does not indicate a split"),
                  "Name the lists train.txt, val.txt and test.txt, or select one list: --data LIST.");
    const auto [place, added] = parts.emplace(*found.split, &found);
    if (!added)
      throw Error(text(dataset.root.string(), ": the lists ", place->second->file.filename().string(),
                       " and ", found.file.filename().string(), " are for the same split"),
                  "Move one elsewhere, or choose one with --fold if they are named ..._split_1 and so on.");
  }
  add_lists(dataset, search.lists, settings);
  for (const std::string& other : search.not_lists) dataset.notes.push_back("ignored: " + other);
  if (search.lists.size() == 1) {
    if (!search.lists.front().list.has_split) assign_splits(dataset, settings.split);
  } else if (!parts.contains(Split::val)) {
    draw_val(dataset, settings.split);
  }
}

void read_list_file(Dataset& dataset, const fs::path& file, const DatasetSettings& settings) {
  const std::vector<FoundList> one{{file, read_annotation_list(file), std::nullopt}};
  add_lists(dataset, one, settings);
  if (!one.front().list.has_split) assign_splits(dataset, settings.split);
}

}  // namespace laban
