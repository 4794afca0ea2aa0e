// Annotation lists: train.txt, val.txt, test.txt as video toolkits write them, or one list of everything.
#include <algorithm>
#include <map>
#include <set>

#include "core/error.h"
#include "data/dataset/annotation_list.h"
#include "data/dataset/layouts.h"
#include "data/dataset/list_search.h"
#include "data/dataset/split_names.h"
#include "data/picture/image_folder.h"
#include "data/video/demuxer.h"

namespace laban {
namespace fs = std::filesystem;
namespace {

// ---- names of classes --------------------------------------------------------------------------------

std::optional<int64_t> whole_number(const std::string& text) {
  if (text.empty() || text.size() > 9 || text.find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  return std::stoll(text);
}

using NumberedNames = std::map<int64_t, std::string>;

/// A file of class names, in every way in which it may be read.
struct ClassNameFile {
  NumberedNames by_line{};  // from 0
  NumberedNames before{},
      behind{};  // NUMBER NAME, NAME NUMBER; empty unless all rows are so, with distinct numbers
};

ClassNameFile read_class_names(const fs::path& file) {
  ClassNameFile read;
  const std::string all = read_list_text(file);
  std::vector<std::string> rows;
  for (size_t at = 0; at < all.size();) {
    const size_t end = std::min(all.find('\n', at), all.size());
    std::string row = all.substr(at, end - at);
    at = end + 1;
    while (!row.empty() && (row.back() == '\r' || row.back() == ' ' || row.back() == '\t')) row.pop_back();
    if (!row.empty() && !row.starts_with("# ")) rows.push_back(std::move(row));
  }
  bool all_before = true, all_behind = true;
  constexpr const char* kBetween = " \t,;:";
  for (const std::string& row : rows) {
    const size_t first = row.find_first_of(kBetween), last = row.find_last_of(kBetween);
    const auto front = first == std::string::npos ? std::nullopt : whole_number(row.substr(0, first));
    const auto back = last == std::string::npos ? std::nullopt : whole_number(row.substr(last + 1));
    const bool header =
        &row == &rows.front() && rows.size() > 1 && first != std::string::npos && !front && !back;
    read.by_line[static_cast<int64_t>(&row - rows.data())] = row;
    if (header) continue;  // "id,name": the rows behind it tell
    all_before = all_before && front && row.find_first_not_of(kBetween, first) != std::string::npos &&
                 read.before.emplace(*front, row.substr(row.find_first_not_of(kBetween, first))).second;
    all_behind = all_behind && back && row.find_last_not_of(kBetween, last) != std::string::npos &&
                 read.behind.emplace(*back, row.substr(0, row.find_last_not_of(kBetween, last) + 1)).second;
  }
  // A row that is no number with a name, and no header, is a name; then so are all others, "2 step" too.
  if (!all_before || read.before.empty()) read.before.clear();
  if (!all_behind || read.behind.empty()) read.behind.clear();
  return read;
}

/// 0, 1, 2, ... or 1, 2, 3, ..., with different names: numbers that were meant as such.
bool counts_up(const NumberedNames& names) {
  std::set<std::string> different;
  for (const auto& [number, name] : names) different.insert(name);
  return !names.empty() && names.begin()->first <= 1 && different.size() == names.size() &&
         names.rbegin()->first - names.begin()->first + 1 == std::ssize(names);
}

/// Letters and digits in lower case: "Cha Cha" and "cha_cha" are one.
std::string plain(const std::string& name) {
  std::string all;
  for (const std::string& word : words_of(name)) all += word;
  return all;
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
        if (take(dataset, folder / file)) return true;
        dataset.notes.push_back(
            text((folder / file).string(), " does not name every label in the lists, so it was ignored"));
      }
    }
    return false;
  }

  /// The names that these numbers give to the labels, whose numbers are `shift` smaller; nothing if one lacks.
  std::optional<std::map<std::string, std::string>> named(const NumberedNames& file, int64_t shift) const {
    std::map<std::string, std::string> names;
    std::set<std::string> different;
    for (const std::string& label : labels_) {
      const auto found = file.find(*whole_number(label) + shift);
      if (found == file.end() || !different.insert(found->second).second) return std::nullopt;
      names[label] = found->second;
    }
    return names;
  }

  bool take(Dataset& dataset, const fs::path& path) {
    const ClassNameFile file = read_class_names(path);
    std::vector<std::map<std::string, std::string>> readings;
    const auto add = [&](const NumberedNames& numbered, int64_t shift = 0) {
      const auto names = numbered.empty() ? std::nullopt : named(numbered, shift);
      if (names && std::ranges::find(readings, *names) == readings.end()) readings.push_back(*names);
    };
    add(file.before);
    add(file.behind);
    const bool counted = counts_up(file.before) || counts_up(file.behind);
    if (!counted) add(file.by_line);
    if (readings.size() > 1)
      throw FileError(path.string(),
                      text("its rows can be read as numbers with names, and otherwise: label ",
                           *labels_.begin(), " is \"", visible(readings[0].at(*labels_.begin())), "\" or \"",
                           visible(readings[1].at(*labels_.begin())), "\""),
                      "Number all classes from 0, \"0 NAME\", as the lists do.");
    if (readings.empty() && counted && whole_number(*labels_.begin())) {
      // UCF-101's classInd.txt counts from 1, the lists that tools make of it from 0.
      const NumberedNames& numbered = file.before.empty() ? file.behind : file.before;
      if (numbered.begin()->first == 1 && labels_.contains("0")) add(numbered, 1);
      if (!readings.empty())
        dataset.notes.push_back(text(path.string(), " counts classes from 1, the lists from 0: label 0 is \"",
                                     visible(readings[0].at("0")), "\""));
    }
    if (readings.empty()) return false;
    require_folders_agree(path, readings.front());
    names_ = readings.front();
    return true;
  }

  /// Throws FileError if the clips' folders are called like the classes, but in another order.
  void require_folders_agree(const fs::path& path, const std::map<std::string, std::string>& names) const {
    std::map<std::string, std::string> label_of_name;
    for (const auto& [label, name] : names) label_of_name[plain(name)] = label;
    for (const auto& [label, folders] : folders_) {
      if (folders.size() != 1) continue;
      const auto other = label_of_name.find(plain(*folders.begin()));
      if (other != label_of_name.end() && other->second != label)
        throw FileError(
            path.string(),
            text("names label ", label, " \"", visible(names.at(label)), "\", but its clips lie in \"",
                 visible(*folders.begin()), "\", its name for label ", other->second),
            "Correct its numbers (the lists may count from 0, and it from 1), or remove it: without "
            "it, the folders name the classes.");
    }
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

/// A list, and the folder of its clips.
struct PlacedList {
  FoundList found;
  MediaFolder media;
};

std::vector<PlacedList> place(const Dataset& dataset, std::vector<FoundList> lists,
                              const DatasetSettings& settings) {
  std::vector<PlacedList> placed;
  for (FoundList& found : lists) {
    MediaFolder media(dataset.root, found.file.parent_path(), settings);
    std::vector<std::string> paths;
    for (const AnnotationRow& row : found.list.rows) paths.push_back(row.path);
    const bool exists = media.choose(paths, found.split);
    if (!exists && !settings.keep_missing)
      throw FileError(
          text(found.file.string(), ", line ", found.list.rows.front().line),
          text("\"", paths.front(), "\" does not exist, nor does any other clip in the list; searched ",
               media.tried()),
          "Paths are relative to the list's folder, or to --media DIR.");
    if (!media.rivals().empty())
      throw FileError(found.file.string(),
                      text("its clips are in ", some_of(media.rivals()), ", under the same names"),
                      "Say which are meant: --media DIR.");
    for (AnnotationRow& row : found.list.commented) {
      std::error_code failed;
      if (fs::exists(media.locate(row.path), failed)) found.list.rows.push_back(row);
    }
    placed.push_back({std::move(found), std::move(media)});
  }
  return placed;
}

/// How many frames there are, and the number of the first; nothing if that takes more than a look.
struct Extent {
  int64_t first = 0, count = 0;
};
std::optional<Extent> extent_of(const fs::path& clip, const std::string& filename_pattern) {
  std::error_code failed;
  try {
    if (fs::is_directory(clip, failed)) {
      const FolderIndex index = list_frames(clip, filename_pattern);
      return Extent{index.picture_number(0), index.frame_count()};
    }
    Watch watch;
    const int64_t declared = Demuxer(clip, watch).setup()->declared_frames;
    if (declared > 0) return Extent{0, declared};
  } catch (const FileError&) {
    // A pattern that no picture follows; anything else is reported when the clip is read.
    if (!filename_pattern.empty()) return extent_of(clip, "");
  }
  return std::nullopt;
}

/// Decides what the two numbers of four columns mean, from the numbers and from the folders' pictures.
PairMeaning pair_meaning(Dataset& dataset, const PlacedList& list, const std::string& filename_pattern,
                         PairMeaning asked) {
  std::vector<const AnnotationRow*> rows;
  for (const AnnotationRow& row : list.found.list.rows)
    if (row.pair) rows.push_back(&row);
  if (rows.empty() || asked != PairMeaning::automatic) return asked;
  bool start_end = true, offset_count = true;
  std::string against_start_end, against_offset_count;
  const auto deny = [](bool& reading, std::string& reason, const std::string& why) {
    if (reading) reason = why;
    reading = false;
  };
  for (const AnnotationRow* row : rows) {
    const auto [a, b] = *row->pair;
    if (b < a) deny(start_end, against_start_end, text("line ", row->line, " has ", a, " before ", b));
    if (b < 1) deny(offset_count, against_offset_count, "");
  }
  // The rows that reach furthest tell most.
  std::ranges::sort(rows, {}, [](const AnnotationRow* row) { return -((*row->pair)[0] + (*row->pair)[1]); });
  constexpr size_t kLooked = 64;
  const size_t step = std::max<size_t>(1, rows.size() / kLooked);
  for (size_t i = 0; i < rows.size() && start_end && offset_count; i += i < kLooked ? 1 : step) {
    const auto [a, b] = *rows[i]->pair;
    const auto extent = extent_of(list.media.locate(rows[i]->path), filename_pattern);
    if (!extent) continue;
    if (a < extent->first || b > extent->first + extent->count - 1)
      deny(start_end, against_start_end,
           text("\"", visible(rows[i]->path), "\" has frames ", extent->first, " to ",
                extent->first + extent->count - 1, ", not ", a, " to ", b));
    if (a + b > extent->count) deny(offset_count, against_offset_count, "");
  }
  if (start_end && offset_count) {
    // Two clips of one file that would overlap as OFFSET NUM, and do not as START END, or the other way round.
    std::map<std::string, std::vector<std::array<int64_t, 2>>> of_file;
    for (const AnnotationRow* row : rows) of_file[row->path].push_back(*row->pair);
    for (auto& [path, pairs] : of_file) {
      std::ranges::sort(pairs);
      for (size_t i = 1; i < pairs.size(); ++i) {
        const int64_t next = pairs[i][0];
        const bool follows = next == pairs[i - 1][1] + 1, adds = next == pairs[i - 1][0] + pairs[i - 1][1];
        if (follows && !adds) offset_count = false;
        if (adds && !follows)
          deny(start_end, against_start_end,
               text("the ranges of \"", visible(path), "\" follow each other as OFFSET NUM_FRAMES"));
      }
    }
    // Both, in different files: nothing is told.
    if (!start_end && !offset_count) start_end = offset_count = true;
  }
  if (start_end == offset_count && !start_end) return PairMeaning::start_end;  // its error says what is wrong
  if (start_end && offset_count) {
    const AnnotationRow& row = *rows.front();
    throw FileError(
        text(list.found.file.string(), ", line ", row.line),
        text("\"", visible(row.path), " ", (*row.pair)[0], " ", (*row.pair)[1], " ", visible(row.label),
             "\" may mean PATH START END LABEL or PATH OFFSET NUM_FRAMES LABEL; the clips do not tell"),
        "Say which: --list-columns start-end or --list-columns offset-count; or give the list a "
        "header: path,start,end,label or path,offset,num_frames,label.");
  }
  if (offset_count)
    dataset.notes.push_back(text(
        list.found.file.string(),
        " is read as PATH OFFSET NUM_FRAMES LABEL, not START END: ", against_start_end, " (--list-columns)"));
  return offset_count ? PairMeaning::offset_count : PairMeaning::start_end;
}

void add_list(Dataset& dataset, const PlacedList& list, const ClassNames& names,
              const DatasetSettings& settings, MissingClips& missing) {
  const auto& [found, media] = list;
  const std::string filename_pattern =
      settings.filename_pattern.empty() ? "" : FilenamePattern::parse(settings.filename_pattern).pattern();
  const PairMeaning meaning = pair_meaning(dataset, list, filename_pattern, settings.list_columns);
  std::vector<std::string> cells;
  for (const AnnotationRow& row : found.list.rows) cells.push_back(row.split);
  const std::vector<SplitWord> words = split_words(cells);
  std::map<fs::path, std::optional<Extent>> extents;
  for (const AnnotationRow& row : found.list.rows) {
    const fs::path clip = media.locate(row.path);
    const std::string where = text(found.file.string(), ", line ", row.line);
    std::error_code failed;
    const bool exists = fs::exists(clip, failed);
    if (!exists && &row == &found.list.rows.front() && !row.range && !clip.has_extension() &&
        found.list.rows.size() > 1 && row.path.find('/') == std::string::npos)
      throw FileError(
          where,
          text("the first row names no clip: \"", visible(row.path), "\", \"", visible(row.label), "\""),
          "If it is a header, call the columns of paths and labels path and label (and that of splits "
          "split); else correct it.");
    if (!exists) missing.add(found.file, row.line, row.path);
    DatasetItem item = make_item(dataset.root, clip,
                                 fs::is_directory(clip, failed) ? ItemKind::frame_folder : ItemKind::video);
    item.label = label_of(dataset, names.name(row.label));
    item.range = row.pair ? range_of(*row.pair, meaning, where) : row.range;
    if (item.kind == ItemKind::frame_folder &&
        (row.pair ? meaning == PairMeaning::offset_count : row.offset)) {
      const auto [place, fresh] = extents.try_emplace(clip);
      if (fresh) place->second = extent_of(clip, filename_pattern);
      if (place->second) *item.range->first += place->second->first;
    }
    item.name += range_suffix(item.range);
    if (item.kind == ItemKind::frame_folder) item.filename_pattern = filename_pattern;
    if (!row.group.empty()) item.group = row.group;
    item.split =
        found.list.has_split ? split_in_cell(row.split, words, where) : found.split.value_or(Split::train);
    dataset.items.push_back(std::move(item));
  }
}

void require_one_label_each(const std::vector<FoundList>& lists) {
  std::set<std::string> labels;
  for (const FoundList& found : lists)
    for (const AnnotationRow& row : found.list.rows) {
      refuse_negative_label(text(found.file.string(), ", line ", row.line), row.label);
      labels.insert(row.label);
    }
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

void add_lists(Dataset& dataset, const std::vector<FoundList>& found, const DatasetSettings& settings) {
  const std::vector<PlacedList> placed = place(dataset, found, settings);
  std::vector<FoundList> lists;
  for (const PlacedList& list : placed) lists.push_back(list.found);
  require_one_label_each(lists);
  for (const FoundList& list : lists) tell_doubtful_counts(dataset, list);
  const ClassNames names(dataset, lists);
  dataset.classes = names.classes();
  MissingClips missing;
  for (const PlacedList& list : placed) add_list(dataset, list, names, settings, missing);
  missing.settle(dataset, static_cast<int64_t>(dataset.items.size()), settings);
}

/// Decides which list is for which split, by their names.
void settle_splits(const fs::path& root, std::vector<FoundList>& lists) {
  std::vector<SplitWord> words;
  for (const FoundList& found : lists)
    if (found.word) words.push_back(*found.word);
  for (FoundList& found : lists) {
    if (!found.word) continue;
    found.split = settle(*found.word, words);
    if (!found.split && lists.size() > 1)
      throw Error(
          text(root.string(), ": the name of the list ", found.file.filename().string(),
               found.word == SplitWord::several ? " means several splits" : " may mean validation or test"),
          "Name the lists train.txt, val.txt and test.txt, or select one list: --data LIST.");
  }
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
            search.meant.empty() ? "" : "not used as a list: " + some_of(search.meant),
            search.unread.empty() ? "" : some_of(search.unread)};
  }
  std::vector<std::string> names;
  for (const FoundList& found : search.lists) names.push_back(found.file.filename().string());
  return {true, some_of(names)};
}

void read_lists(Dataset& dataset, const DatasetSettings& settings) {
  ListSearch search(dataset.root, settings);
  settle_splits(dataset.root, search.lists);
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
    const bool drawn = !search.lists.front().list.has_split;
    if (drawn && !settings.undivided && !search.unread.empty())
      throw Error(text(dataset.root.string(),
                       ": cannot be read, but seems to assign clips to splits: ", some_of(search.unread)),
                  text("Correct it, or move it elsewhere; --data ", search.lists.front().file.string(),
                       " splits the clips of that list anew."));
    if (drawn) draw_splits(dataset, settings);
  } else if (!parts.contains(Split::val)) {
    draw_val(dataset, settings.split);
  }
}

void read_list_file(Dataset& dataset, const fs::path& file, const DatasetSettings& settings) {
  std::vector<FoundList> one{{file, read_annotation_list(file), split_word_in(file.stem().string())}};
  settle_splits(dataset.root, one);  // says which of several folders its clips are in
  add_lists(dataset, one, settings);
  if (!one.front().list.has_split) draw_splits(dataset, settings);
}

}  // namespace laban
