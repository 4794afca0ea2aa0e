// Annotation lists: train.txt, val.txt, test.txt as video toolkits write them, or one list of everything.
#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "core/error.h"
#include "core/files.h"
#include "data/annotation_list.h"
#include "data/image_folder.h"
#include "data/layouts.h"

namespace laban {
namespace fs = std::filesystem;
namespace {

/// "kinetics_train_list.txt" -> kinetics, train, list. Trailing digits are words of their own.
std::vector<std::string> words_of(const std::string& name) {
  std::vector<std::string> words{""};
  for (const char c : name) {
    const auto u = static_cast<unsigned char>(c);
    const bool letter = std::isalpha(u), digit = std::isdigit(u);
    const std::string& last = words.back();
    const bool turns =
        !last.empty() && letter != static_cast<bool>(std::isalpha(static_cast<unsigned char>(last.back())));
    if ((!letter && !digit) || turns) words.emplace_back();
    if (letter || digit) words.back() += static_cast<char>(std::tolower(u));
  }
  std::erase(words, "");
  return words;
}

std::optional<Split> split_of_list(const fs::path& file) {
  for (const std::string& word : words_of(file.stem().string())) {
    if (const std::optional<Split> part = split_named(word)) return part;
    if (word == "trainlist") return Split::train;
    if (word == "vallist") return Split::validate;
    if (word == "testlist") return Split::test;
  }
  return std::nullopt;
}

/// The fold that a list belongs to, "train_split_2.txt" or "testlist03.txt"; 0 where its name tells none.
int fold_of_list(const fs::path& file) {
  const std::vector<std::string> words = words_of(file.stem().string());
  for (size_t i = 0; i + 1 < words.size(); ++i)
    if (words[i] == "split" || words[i] == "fold" || words[i].ends_with("list")) {
      const std::string digits =
          words[i + 1].substr(std::min(words[i + 1].find_first_not_of('0'), words[i + 1].size()));
      if (digits == "1" || digits == "2" || digits == "3") return digits[0] - '0';
    }
  return 0;
}

bool names_classes(const fs::path& file) {
  const std::vector<std::string> words = words_of(file.stem().string());
  const std::set<std::string> said{words.begin(), words.end()};
  for (const char* word : {"classes", "classind", "labels", "categories", "category", "names"})
    if (said.contains(word)) return true;
  return said.contains("label") && said.contains("map");
}

struct Found {
  fs::path file;
  AnnotationList list;
  std::optional<Split> split;
};

/// Looks at the text files of a folder: which of them are lists whose clips are there.
struct Search {
  std::vector<Found> lists;
  std::vector<std::string> not_lists;  // with the reason
  std::vector<std::string> meant;      // those of them that are called as if they were
  bool other_folds = false;

  Search(const fs::path& root, const DatasetSettings& settings) {
    for (const fs::path& folder : {root, root / "annotations", root / "splits"}) {
      if (!fs::is_directory(folder)) continue;
      for (const std::string& name : list_folder(folder).files) look_at(root, folder / name, settings);
    }
  }

 private:
  void look_at(const fs::path& root, const fs::path& file, const DatasetSettings& settings) {
    const std::string extension = lower_extension(file);
    if (extension != ".txt" && extension != ".csv" && extension != ".lst" && extension != ".list") return;
    if (file.filename() == kIndexFile || names_classes(file)) return;
    const int fold = fold_of_list(file);
    if (fold != 0 && fold != settings.fold) {
      other_folds = true;
      return;
    }
    try {
      Found found{file, read_annotation_list(file), split_of_list(file)};
      std::vector<std::string> paths;
      for (const AnnotationRow& row : found.list.rows) paths.push_back(row.path);
      if (MediaFolder media(root, file.parent_path(), settings); media.choose(paths))
        lists.push_back(std::move(found));
      else
        set_aside(file, text("there is no \"", paths.front(), "\" in ", media.tried()));
    } catch (const FileError& error) {
      set_aside(file, first_line(error.what(), file));
    }
  }

  void set_aside(const fs::path& file, const std::string& why) {
    not_lists.push_back(text(file.filename().string(), " (", why, ")"));
    if (split_of_list(file)) meant.push_back(not_lists.back());
  }

  static std::string first_line(const std::string& what, const fs::path& file) {
    std::string line = what.substr(0, what.find('\n'));
    if (line.starts_with(file.string())) line.erase(0, file.string().size());
    while (!line.empty() && (line[0] == ',' || line[0] == ':' || line[0] == ' ')) line.erase(0, 1);
    return line;
  }
};

// ---- names of classes
// --------------------------------------------------------------------------------------

std::optional<int64_t> whole_number(const std::string& text) {
  if (text.empty() || text.size() > 9 || text.find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  return std::stoll(text);
}

/// Reads "NAME" (by line, from 0), "NUMBER NAME" or "NAME NUMBER" (also with a comma).
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

/// Names for labels that are numbers: from a file beside the lists, else from the clips' folders where every
/// label has one of its own, else the numbers themselves.
class ClassNames {
 public:
  ClassNames(Dataset& dataset, const std::vector<Found>& lists) {
    for (const Found& found : lists)
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

  /// In the order of the labels, numbers by their value.
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
  bool from_file(Dataset& dataset, const std::vector<Found>& lists) {
    std::vector<fs::path> places{dataset.root};
    for (const Found& found : lists) places.push_back(found.file.parent_path());
    std::set<fs::path> seen;
    for (const fs::path& folder : places) {
      if (!seen.insert(folder).second) continue;
      for (const std::string& file : list_folder(folder).files) {
        const std::string extension = lower_extension(file);
        if ((extension != ".txt" && extension != ".csv") || !names_classes(file)) continue;
        if (take(read_class_names(folder / file))) return true;
        dataset.notes.push_back(
            text((folder / file).string(), " does not name every label of the lists, so it was left aside"));
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

// ---- clips
// -------------------------------------------------------------------------------------------------

void add_list(Dataset& dataset, const Found& found, const ClassNames& names, const DatasetSettings& settings,
              MissingClips& missing) {
  MediaFolder media(dataset.root, found.file.parent_path(), settings);
  std::vector<std::string> paths;
  for (const AnnotationRow& row : found.list.rows) paths.push_back(row.path);
  if (!media.choose(paths) && !settings.keep_missing)
    throw FileError(text(found.file.string(), ", line ", found.list.rows.front().line),
                    text("there is no \"", paths.front(), "\", nor any other clip of the list; looked in ",
                         media.tried()),
                    "Paths count from the list's folder, or from --media DIR.");
  const std::string frames_named =
      settings.frames_named.empty() ? "" : FrameNames::parse(settings.frames_named).pattern();
  for (const AnnotationRow& row : found.list.rows) {
    const fs::path clip = media.locate(row.path);
    std::error_code failed;
    if (!fs::exists(clip, failed)) missing.add(found.file, row.line, row.path);
    DatasetItem item = make_item(dataset.root, clip,
                                 fs::is_directory(clip, failed) ? ItemKind::frame_folder : ItemKind::video);
    item.label = label_of(dataset, names.name(row.label));
    item.range = row.range;
    item.name += range_suffix(row.range);
    if (item.kind == ItemKind::frame_folder) item.frames_named = frames_named;
    if (!row.group.empty()) item.group = row.group;
    item.split = found.split.value_or(Split::train);
    if (found.list.has_split) {
      const std::optional<Split> part = split_named(row.split);
      if (!part)
        throw FileError(text(found.file.string(), ", line ", row.line),
                        text("the split is \"", row.split, "\""), "Splits are named train, val or test.");
      item.split = *part;
    }
    dataset.items.push_back(std::move(item));
  }
}

void add_lists(Dataset& dataset, const std::vector<Found>& lists, const DatasetSettings& settings) {
  const ClassNames names(dataset, lists);
  dataset.classes = names.classes();
  MissingClips missing;
  for (const Found& found : lists) add_list(dataset, found, names, settings, missing);
  missing.settle(dataset, static_cast<int64_t>(dataset.items.size()), settings);
}

}  // namespace

Look look_for_lists(const fs::path& root, const DatasetSettings& settings) {
  const Search search(root, settings);
  if (search.lists.empty()) {
    const std::string none = search.other_folds ? "only lists of other folds" : "no list";
    return {
        false,
        search.not_lists.empty() ? none : "no list of clips that are there: not " + some_of(search.not_lists),
        search.meant.empty() ? "" : "not taken for a list: " + some_of(search.meant)};
  }
  std::vector<std::string> names;
  for (const Found& found : search.lists) names.push_back(found.file.filename().string());
  return {true, some_of(names)};
}

void read_lists(Dataset& dataset, const DatasetSettings& settings) {
  const Search search(dataset.root, settings);
  if (search.lists.empty())
    throw Error(
        text(dataset.root.string(), ": there is no annotation list whose clips are there",
             search.not_lists.empty() ? "" : "; looked at " + some_of(search.not_lists)),
        "Rows read PATH LABEL, PATH NUM_FRAMES LABEL or PATH START END LABEL; paths count from the list's "
        "folder, or from --media DIR.");
  std::map<Split, const Found*> parts;
  for (const Found& found : search.lists) {
    if (search.lists.size() == 1) break;
    if (!found.split)
      throw Error(text(dataset.root.string(), ": there are several lists, and the name of ",
                       found.file.filename().string(), " tells no split"),
                  "Name lists train.txt, val.txt and test.txt; or name one list: --data LIST.");
    const auto [place, added] = parts.emplace(*found.split, &found);
    if (!added)
      throw Error(text(dataset.root.string(), ": the lists ", place->second->file.filename().string(),
                       " and ", found.file.filename().string(), " are for the same split"),
                  "Move one away; or choose with --fold, where they are called ..._split_1 and so on.");
  }
  add_lists(dataset, search.lists, settings);
  for (const std::string& other : search.not_lists) dataset.notes.push_back("left aside: " + other);
  if (search.lists.size() == 1) {
    if (!search.lists.front().list.has_split) assign_splits(dataset, settings.split);
  } else if (!parts.contains(Split::validate)) {
    draw_validation(dataset, settings.split);
  }
}

void read_list_file(Dataset& dataset, const fs::path& file, const DatasetSettings& settings) {
  const std::vector<Found> one{{file, read_annotation_list(file), std::nullopt}};
  add_lists(dataset, one, settings);
  if (!one.front().list.has_split) assign_splits(dataset, settings.split);
}

}  // namespace laban
