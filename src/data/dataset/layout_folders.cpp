// Class folders of videos, of folders of pictures, or of loose pictures, with or without split folders above
// them.
#include <algorithm>
#include <map>
#include <set>

#include "core/machine_error.h"
#include "data/dataset/layouts.h"
#include "data/dataset/split_names.h"
#include "data/picture/image_folder.h"

namespace laban {
namespace fs = std::filesystem;
namespace {

constexpr int kDeepest = 12;  // nesting inside a class folder; a link to a parent folder would never end

// ---- loose pictures ----------------------------------------------------------------------------------

/// The name of the clip to which a loose picture belongs, CLIP_0001.jpg, parsed from the right; empty if
/// there is none.
std::string clip_of(const std::string& picture) {
  const std::optional<FilenamePattern> names = FilenamePattern::of(picture);
  if (!names || !names->number(picture)) return "";
  std::string clip = names->prefix();
  // The number must come last, after a _.
  const fs::path stem = fs::path(picture).stem();
  if (clip.size() < 2 || clip.back() != '_' ||
      stem.string().find_first_not_of("0123456789", clip.size()) != std::string::npos)
    return "";
  clip.pop_back();
  return clip;
}

/// Let's Dance: <YouTube id>_<second>. The id may contain _ and -, so the last _ counts.
std::string source_of(const std::string& clip) {
  const size_t last = clip.rfind('_');
  const bool second = last != std::string::npos && last > 0 && last + 1 < clip.size() &&
                      clip.find_first_not_of("0123456789", last + 1) == std::string::npos;
  return second ? clip.substr(0, last) : group_of(clip);
}

[[noreturn]] void refuse_loose(const fs::path& picture) {
  throw FileError(
      picture.string(), "a loose picture in a class folder whose name does not tell to which clip it belongs",
      "Name pictures CLIP_NUMBER.jpg (Let's Dance: ID_SECOND_0001.jpg), or put the frames of each clip into "
      "a separate folder: CLASS/CLIP/0001.jpg.");
}

/// Pictures beside clips: covers, thumbnails.
std::string left_out(const std::string& folder, const std::vector<std::string>& strays) {
  return text(visible(folder), ": ",
              strays.size() == 1 ? "the picture " : text(strays.size(), " pictures, the first "),
              visible(strays.front()), strays.size() == 1 ? " is" : " are", " not part of a clip, and ",
              strays.size() == 1 ? "is" : "are", " left out");
}

/// Divides the pictures that lie beside clips into strays and the first of a numbered series (empty: there is none),
/// which may be a clip's frames.
std::vector<std::string> strays_among(const std::vector<std::string>& pictures, std::string& of_series) {
  std::map<std::string, std::vector<std::string>> series;
  std::vector<std::string> strays;
  for (const std::string& picture : pictures) {
    const std::optional<FilenamePattern> pattern = FilenamePattern::of(picture);
    if (pattern)
      series[pattern->prefix()].push_back(picture);
    else
      strays.push_back(picture);
  }
  for (const auto& [prefix, names] : series) {
    if (names.size() > 1 && of_series.empty()) of_series = names.front();
    if (names.size() == 1) strays.push_back(names.front());
  }
  return strays;
}

/// The common pattern of a clip's picture names.
FilenamePattern rule_of(const fs::path& folder, const std::vector<std::string>& pictures) {
  // The shortest number shows the zero padding.
  const auto shortest = std::ranges::min_element(pictures, {}, &std::string::size);
  const FilenamePattern rule = *FilenamePattern::of(*shortest);
  for (const std::string& picture : pictures)
    if (!rule.number(picture))
      throw FileError((folder / picture).string(),
                      text("the clip's picture names follow two patterns: ", picture, " and ", *shortest),
                      "Give all pictures of a clip the same extension and the same number of digits.");
  return rule;
}

/// The clips of a folder of loose pictures.
void add_flat_clips(Dataset& dataset, const fs::path& folder, const Listing& listing,
                    const DatasetItem& like) {
  std::map<std::string, std::vector<std::string>> clips;
  std::vector<std::string> others;
  for (const std::string& file : listing.files) {
    if (!is_picture_name(file)) {
      dataset.ignored.push_back(name_in(dataset.root, folder / file));
      continue;
    }
    std::string clip = clip_of(file);
    if (clip.empty())
      others.push_back(file);
    else
      clips[std::move(clip)].push_back(file);
  }
  if (!others.empty()) {
    std::string of_series;
    const std::vector<std::string> strays = strays_among(others, of_series);
    if (!of_series.empty() || clips.empty())
      refuse_loose(folder / (of_series.empty() ? others.front() : of_series));
    for (const std::string& stray : strays) dataset.ignored.push_back(name_in(dataset.root, folder / stray));
    dataset.notes.push_back(left_out(name_in(dataset.root, folder), strays));
  }
  for (const auto& [clip, pictures] : clips) {
    const FilenamePattern rule = rule_of(folder, pictures);
    std::vector<int64_t> numbers;
    for (const std::string& picture : pictures) numbers.push_back(*rule.number(picture));
    std::ranges::sort(numbers);
    DatasetItem item{.path = folder,
                     .name = name_in(dataset.root, folder / clip),
                     .label = like.label,
                     .split = like.split,
                     .kind = ItemKind::frame_folder,
                     .filename_pattern = rule.pattern()};
    item.group = source_of(clip) == clip ? item.name : source_of(clip);
    const auto count = static_cast<int64_t>(numbers.size());
    // If numbers are missing, the clip has no range; index_folder then reports the gap.
    if (numbers.back() - numbers.front() + 1 == count) item.range = {numbers.front(), count};
    dataset.items.push_back(std::move(item));
  }
}

bool holds_loose_pictures(const Listing& listing) {
  return std::ranges::any_of(listing.files, [](const std::string& file) { return is_picture_name(file); });
}

// ---- videos and folders of pictures ------------------------------------------------------------------

/// Whether the folder is a clip: it holds pictures, and neither videos nor, beside mere strays, folders with clips.
bool is_clip_folder(const fs::path& folder) {
  std::vector<std::string> pictures, folders;
  std::error_code failed;
  // Not list_folder(): there may be many such folders, each with many pictures.
  for (fs::directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed)) {
    std::string name = at->path().filename().string();
    if (name.starts_with('.')) continue;
    std::error_code broken;
    if (at->is_directory(broken))
      folders.push_back(std::move(name));
    else if (is_video_name(name))
      return false;
    else if (is_picture_name(name) && at->is_regular_file(broken))
      pictures.push_back(std::move(name));
  }
  if (failed) throw_if_machine_fault(folder, failed.value());
  if (pictures.empty() || folders.empty()) return !pictures.empty();
  std::string of_series;
  static_cast<void>(strays_among(pictures, of_series));
  return !of_series.empty() ||
         std::ranges::none_of(folders, [&](const std::string& name) { return holds_clips(folder / name); });
}

/// How clips are read from class folders.
struct ClipFinder {
  Dataset& dataset;
  DatasetItem like;              // label and split
  std::string filename_pattern;  // of folders that are clips

  /// Clips in a class folder, at any depth.
  void add(const fs::path& folder, const Listing& listing, int depth) const;

 private:
  void add_one(const fs::path& path, ItemKind kind) const {
    DatasetItem item = make_item(dataset.root, path, kind);
    item.label = like.label, item.split = like.split;
    if (kind == ItemKind::frame_folder) item.filename_pattern = filename_pattern;
    dataset.items.push_back(std::move(item));
  }
};

void ClipFinder::add(const fs::path& folder, const Listing& listing, int depth) const {
  if (depth > kDeepest)
    throw FileError(folder.string(), text("folders are nested ", kDeepest, " deep"),
                    "Check whether one of them is a link to a parent folder.");
  std::set<std::string> clips;
  for (const std::string& name : listing.folders)
    if (is_clip_folder(folder / name)) clips.insert(name);
  for (const std::string& name : listing.folders) {
    const fs::path path = folder / name;
    if (clips.contains(name)) {
      add_one(path, ItemKind::frame_folder);
      // What lies deeper, in a folder of flow perhaps, is no clip of its own.
      for (const std::string& deeper : list_folder(path).folders)
        dataset.ignored.push_back(name_in(dataset.root, path / deeper));
      continue;
    }
    const Listing inside = list_folder(path);
    const size_t before = dataset.items.size();
    add(path, inside, depth + 1);
    if (dataset.items.size() > before) continue;
    // It contains no clip. A folder that is named like a video, or is empty among folders of pictures, was
    // meant to be one: as an item, it fails when it is read, instead of being overlooked.
    if (is_video_name(name))
      add_one(path, ItemKind::video);
    else if (inside.folders.empty() && inside.files.empty()) {
      if (!clips.empty())
        add_one(path, ItemKind::frame_folder);
      else
        dataset.ignored.push_back(name_in(dataset.root, path));
    }
  }
  std::vector<std::string> pictures;
  for (const std::string& name : listing.files) {
    if (is_video_name(name)) {
      add_one(folder / name, ItemKind::video);
      continue;
    }
    if (is_picture_name(name)) pictures.push_back(name);
    dataset.ignored.push_back(name_in(dataset.root, folder / name));
  }
  if (pictures.empty()) return;
  std::string of_series;
  const std::vector<std::string> strays = strays_among(pictures, of_series);
  if (!of_series.empty()) refuse_loose(folder / of_series);
  dataset.notes.push_back(left_out(name_in(dataset.root, folder), strays));
}

void add_class(Dataset& dataset, const fs::path& folder, const std::string& name, Split split,
               const DatasetSettings& settings) {
  const size_t before = dataset.items.size();
  const DatasetItem like{.label = label_of(dataset, name), .split = split};
  const Listing listing = list_folder(folder / name);
  const bool flat =
      holds_loose_pictures(listing) &&
      std::ranges::none_of(listing.folders,
                           [&](const std::string& f) { return holds_clips(folder / name / f); }) &&
      std::ranges::none_of(listing.files, [](const std::string& f) { return is_video_name(f); });
  if (flat) {
    for (const std::string& deeper : listing.folders)
      dataset.ignored.push_back(name_in(dataset.root, folder / name / deeper));
    add_flat_clips(dataset, folder / name, listing, like);
  } else {
    const std::string pattern =
        settings.filename_pattern.empty() ? "" : FilenamePattern::parse(settings.filename_pattern).pattern();
    ClipFinder{dataset, like, pattern}.add(folder / name, listing, 0);
  }
  if (dataset.items.size() == before)
    throw FileError((folder / name).string(), "the class folder contains neither videos nor pictures",
                    "Put clips into it, or remove it.");
}

/// Lists what lies beside class folders. Videos there were perhaps meant as clips.
void ignore_files(Dataset& dataset, const fs::path& folder) {
  std::vector<std::string> videos;
  for (const std::string& name : list_folder(folder).files) {
    if (name == kIndexFile) continue;
    dataset.ignored.push_back(name_in(dataset.root, folder / name));
    if (is_video_name(name)) videos.push_back(dataset.ignored.back());
  }
  if (videos.empty()) return;
  dataset.notes.push_back(text(videos.size() == 1 ? "the video " : text(videos.size(), " videos, the first "),
                               visible(videos.front()), videos.size() == 1 ? ", is" : ", are",
                               " left out: beside the class folders, not in one"));
}

/// The folder that contains the class folders: in Let's Dance it is `rgb`, next to other data derived from
/// the same videos.
fs::path class_root(const fs::path& root) {
  const fs::path rgb = root / "rgb";
  if (!fs::is_directory(rgb)) return root;
  const Listing listing = list_folder(rgb);
  return listing.folders.size() > 1 && !holds_loose_pictures(listing) ? rgb : root;
}

// ---- split folders -----------------------------------------------------------------------------------

/// The folders of a dataset that are named for splits.
struct SplitFolders {
  std::map<Split, std::string> parts{};
  std::vector<std::string> left_out{};  // folders without clips, and those that the user says do not count
  std::vector<std::string> named{};     // all that are named so
};

struct NamedFolder {
  std::string name{};
  std::optional<SplitWord> word{};
  bool whole = false;  // the name is the word, and nothing else
  bool deep = false;   // its clips are in folders, as in class folders
};

/// Assigns folders to splits; Error if two mean the same, or one may mean several.
void assign_parts(SplitFolders& found, const fs::path& root, const std::vector<NamedFolder>& folders) {
  std::vector<SplitWord> words;
  for (const NamedFolder& folder : folders) words.push_back(*folder.word);
  for (const NamedFolder& folder : folders) {
    const std::optional<Split> part = settle(*folder.word, words);
    if (!part)
      throw Error(text(root.string(), ": the folder ", visible(folder.name),
                       folder.word == SplitWord::several ? " is named for several splits"
                                                         : " may be for validation or for test"),
                  "Rename it to train, val or test, or write a split.csv (columns path,label,split).");
    if (const auto [other, added] = found.parts.emplace(*part, folder.name); !added)
      throw Error(text(root.string(), ": the folders ", visible(other->second), " and ", visible(folder.name),
                       " mean the same split, ", kSplitNames[static_cast<size_t>(*part)]),
                  "Rename one of them to train, val or test, or move it elsewhere.");
  }
}

[[noreturn]] void refuse_split_folders(const fs::path& root, const std::vector<std::string>& named,
                                       const std::vector<std::string>& others, const std::string& why) {
  std::vector<std::string> shown, beside;
  for (const std::string& name : named) shown.push_back(visible(name));
  for (const std::string& name : others) beside.push_back(visible(name));
  throw Error(
      text(root.string(), ": ", shown.size() == 1 ? "the folder " : "the folders ", some_of(shown),
           shown.size() == 1 ? " is named for a split, " : " are named for splits, ", why,
           beside.empty() ? "" : some_of(beside)),
      text(
          "Name split folders train, val and test, with class folders in them, and move others elsewhere. Or say how "
          "to read the folder: --layout splits",
          others.empty() ? "" : " (the others are left out)",
          ", or --layout classes (each folder is a class)."));
}

/// The folders that are for splits; none if they are classes. Error if both are plausible.
SplitFolders split_folders_in(const fs::path& root, bool asked) {
  SplitFolders found;
  std::vector<NamedFolder> named, others;
  for (const std::string& name : list_folder(root).folders) {
    NamedFolder folder{.name = name, .word = split_word(name)};
    folder.whole = folder.word.has_value();
    if (!folder.whole) folder.word = split_word_in(name);
    (folder.word ? named : others).push_back(folder);
  }
  if (named.empty()) return found;
  for (const NamedFolder& folder : named) found.named.push_back(folder.name);
  const auto drop = [&](std::vector<NamedFolder>& folders, auto which) {
    std::erase_if(folders, [&](const NamedFolder& folder) {
      if (!which(folder)) return false;
      found.left_out.push_back(folder.name);
      return true;
    });
  };
  const auto empty = [&](const NamedFolder& folder) { return !holds_clips(root / folder.name); };
  const bool any_whole = std::ranges::any_of(named, &NamedFolder::whole);
  if (asked) {
    if (any_whole) drop(named, [](const NamedFolder& folder) { return !folder.whole; });
    drop(named, empty);
    drop(others, [](const NamedFolder&) { return true; });
    assign_parts(found, root, named);
    return found;
  }
  drop(named, empty);
  if (named.empty()) {
    found.left_out.clear();
    return found;
  }
  for (NamedFolder& folder : named) {
    const Listing listing = list_folder(root / folder.name);
    folder.deep = std::ranges::any_of(
        listing.folders, [&](const std::string& name) { return holds_clips(root / folder.name / name); });
  }
  const auto deep = std::ranges::count_if(named, &NamedFolder::deep);
  const auto names_of = [](const std::vector<NamedFolder>& folders) {
    std::vector<std::string> names;
    for (const NamedFolder& folder : folders) names.push_back(folder.name);
    return names;
  };
  // A class may be called "train" or "test_drive": then its neighbors are classes, too, and it holds clips as they do.
  std::set<SplitWord> different;
  std::set<std::string> rests;
  for (const NamedFolder& folder : named) {
    different.insert(*folder.word);
    rests.insert(without_split_word(folder.name));
  }
  const bool whole = std::ranges::any_of(named, &NamedFolder::whole);
  const bool alike = different.size() == named.size() && rests.size() == 1;  // train_256, val_256
  if (!std::ranges::all_of(others, empty)) {
    drop(others, empty);
    if (whole ? deep > 0 || different.size() > 1 : alike && named.size() > 1 && deep > 0)
      refuse_split_folders(root, names_of(named), names_of(others), "but clips are also in ");
    found.left_out.clear();
    return found;  // classes
  }
  drop(others, [](const NamedFolder&) { return true; });
  if (deep == 0) {
    if (whole || (alike && named.size() > 1))
      refuse_split_folders(root, names_of(named), {}, "but hold clips, not class folders with clips");
    found.left_out.clear();
    return found;  // classes
  }
  if (deep < std::ssize(named))
    refuse_split_folders(root, names_of(named), {}, "but only some of them hold class folders");
  assign_parts(found, root, named);
  return found;
}

/// Notes for the user: how folders were read whose names are not simply train, val and test; and classes that have no
/// training clips, which may be misspelled.
void tell_split_folders(Dataset& dataset, const SplitFolders& found) {
  std::string reading;
  bool plain = true;
  for (const auto& [part, name] : found.parts) {
    plain = plain && name == kSplitNames[static_cast<size_t>(part)];
    reading +=
        text(reading.empty() ? "" : ", ", visible(name), " as ", kSplitNames[static_cast<size_t>(part)]);
  }
  if (!plain) dataset.notes.push_back("split folders: " + reading);
  std::vector<std::string> with_clips;
  for (const std::string& name : found.left_out) {
    dataset.ignored.push_back(name);
    if (holds_clips(dataset.root / name)) with_clips.push_back(visible(name));
  }
  if (!with_clips.empty())
    dataset.notes.push_back("left out, as no split is named so: " + some_of(with_clips));
  if (!found.parts.contains(Split::train)) return;
  std::vector<bool> trained(dataset.classes.size(), false);
  for (const DatasetItem& item : dataset.items)
    if (item.split == Split::train) trained[static_cast<size_t>(item.label)] = true;
  std::vector<std::string> untrained;
  for (size_t c = 0; c < trained.size(); ++c)
    if (!trained[c]) untrained.push_back(visible(dataset.classes[c]));
  if (!untrained.empty())
    dataset.notes.push_back(text("classes without training clips: ", some_of(untrained),
                                 " (is the name of the class folder spelled differently?)"));
}

/// Class folders that contain split folders: tango/train/a.mp4. Assigns the clips to these; false if there are none.
/// Error if only some of the clips lie so.
bool read_inner_splits(Dataset& dataset, const fs::path& classes) {
  std::vector<std::optional<SplitWord>> word_of;
  std::vector<SplitWord> words;
  std::string one_in, one_not_in;
  for (const DatasetItem& item : dataset.items) {
    const fs::path inside = item.path.lexically_relative(classes);
    auto part = inside.begin();
    std::advance(part, 1);
    const fs::path second = part == inside.end() ? fs::path() : *part;
    const bool folder = part != inside.end() && std::next(part) != inside.end();
    word_of.push_back(folder ? split_word(second.string()) : std::nullopt);
    if (word_of.back()) {
      one_in = item.name;
      if (std::ranges::find(words, *word_of.back()) == words.end()) words.push_back(*word_of.back());
    } else {
      one_not_in = item.name;
    }
  }
  if (words.empty()) return false;
  const std::string advice =
      "Put train, val and test above the class folders, or write a split.csv (columns path,label,split); --layout "
      "classes splits all clips anew.";
  if (!one_not_in.empty())
    throw Error(text(dataset.root.string(), ": some clips are in split folders inside their class folders (",
                     visible(one_in), "), others are not (", visible(one_not_in), ")"),
                advice);
  std::vector<std::string> names;
  for (size_t i = 0; i < dataset.items.size(); ++i) {
    const std::optional<Split> part = settle(*word_of[i], words);
    if (!part)
      throw Error(text(dataset.root.string(), ": ", visible(dataset.items[i].name),
                       ": the folder may be for validation or for test"),
                  advice);
    dataset.items[i].split = *part;
    names.emplace_back(kSplitNames[static_cast<size_t>(*part)]);
  }
  sort_unique(names);
  dataset.notes.push_back("split folders inside the class folders say which clip is in " + some_of(names));
  return true;
}

/// The contents of the class folders of `root`.
struct Census {
  size_t folders = 0, with_clips = 0, with_loose_pictures = 0;
};
Census count_class_folders(const fs::path& root) {
  Census census;
  for (const std::string& name : list_folder(root).folders) {
    const Listing inside = list_folder(root / name);
    const bool videos = std::ranges::any_of(inside.files, [](const auto& f) { return is_video_name(f); });
    ++census.folders;
    census.with_clips += videos || !inside.folders.empty();
    census.with_loose_pictures += !videos && holds_loose_pictures(inside);
  }
  return census;
}

std::string describe(const fs::path& root, const Census& census) {
  if (census.folders == 0) return text("no folders in ", root.string());
  return text(census.folders, census.folders == 1 ? " folder" : " folders", " in ", root.string(), ", ",
              census.with_clips, " with videos or folders, ", census.with_loose_pictures,
              " with loose pictures");
}

}  // namespace

Look look_for_split_folders(const fs::path& root, const DatasetSettings& settings) {
  const SplitFolders found = split_folders_in(root, settings.layout == "splits");
  std::vector<std::string> names;
  for (const auto& [part, name] : found.parts) names.push_back(visible(name));
  if (!names.empty()) return {true, "folders " + some_of(names)};
  for (const std::string& name : found.named) names.push_back(visible(name));
  return {false, names.empty() ? "no folder named train"
                               : text("a folder ", some_of(names), " without class folders that hold clips")};
}

void read_split_folders(Dataset& dataset, const DatasetSettings& settings) {
  const SplitFolders found = split_folders_in(dataset.root, settings.layout == "splits");
  for (const auto& [part, folder] : found.parts)
    for (const std::string& name : list_folder(dataset.root / folder).folders)
      dataset.classes.push_back(name);
  sort_unique(dataset.classes);
  for (const auto& [part, folder] : found.parts)
    for (const std::string& name : list_folder(dataset.root / folder).folders)
      add_class(dataset, dataset.root / folder, name, part, settings);
  ignore_files(dataset, dataset.root);
  for (const auto& [part, folder] : found.parts) ignore_files(dataset, dataset.root / folder);
  tell_split_folders(dataset, found);
}

Look look_for_flat(const fs::path& root, const DatasetSettings&) {
  const fs::path folder = class_root(root);
  const Census census = count_class_folders(folder);
  return {census.with_loose_pictures > 0 && census.with_clips == 0, describe(folder, census)};
}

Look look_for_class_folders(const fs::path& root, const DatasetSettings&) {
  const fs::path folder = class_root(root);
  const Census census = count_class_folders(folder);
  return {census.with_clips + census.with_loose_pictures > 0, describe(folder, census)};
}

void read_class_folders(Dataset& dataset, const DatasetSettings& settings) {
  const fs::path folder = class_root(dataset.root);
  std::vector<std::string> names = list_folder(folder).folders;
  dataset.classes = names;
  for (const std::string& name : names) add_class(dataset, folder, name, Split::train, settings);
  ignore_files(dataset, folder);
  if (settings.layout != "classes" && read_inner_splits(dataset, folder)) return;
  if (names.size() > 1 || settings.undivided) draw_splits(dataset, settings);
}

void read_flat(Dataset& dataset, const DatasetSettings& settings) {
  // The same: whether pictures are loose is determined for each class folder.
  read_class_folders(dataset, settings);
}

}  // namespace laban
