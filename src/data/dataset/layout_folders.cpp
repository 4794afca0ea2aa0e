// Class folders of videos, of folders of pictures, or of loose pictures, with or without split folders above
// them.
#include <algorithm>
#include <map>

#include "core/error.h"
#include "data/dataset/layouts.h"
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
  for (const std::string& file : listing.files) {
    if (!is_picture_name(file)) {
      dataset.ignored.push_back(name_in(dataset.root, folder / file));
      continue;
    }
    std::string clip = clip_of(file);
    if (clip.empty()) refuse_loose(folder / file);
    clips[std::move(clip)].push_back(file);
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

/// Clips in a class folder, at any depth.
void add_clips(Dataset& dataset, const fs::path& folder, const Listing& listing, const DatasetItem& like,
               int depth) {
  if (depth > kDeepest)
    throw FileError(folder.string(), text("folders are nested ", kDeepest, " deep"),
                    "Check whether one of them is a link to a parent folder.");
  const auto add = [&](const fs::path& path, ItemKind kind) {
    DatasetItem item = make_item(dataset.root, path, kind);
    item.label = like.label, item.split = like.split;
    dataset.items.push_back(std::move(item));
  };
  const bool of_pictures = std::ranges::any_of(
      listing.folders, [&](const std::string& name) { return holds_pictures(folder / name); });
  for (const std::string& name : listing.folders) {
    const fs::path path = folder / name;
    if (holds_pictures(path)) {
      add(path, ItemKind::frame_folder);
      continue;
    }
    const Listing inside = list_folder(path);
    const size_t before = dataset.items.size();
    add_clips(dataset, path, inside, like, depth + 1);
    if (dataset.items.size() > before) continue;
    // It contains no clip. A folder that is named like a video, or is empty among folders of pictures, was
    // meant to be one: as an item, it fails when it is read, instead of being overlooked.
    if (is_video_name(name))
      add(path, ItemKind::video);
    else if (inside.folders.empty() && inside.files.empty()) {
      if (of_pictures)
        add(path, ItemKind::frame_folder);
      else
        dataset.ignored.push_back(name_in(dataset.root, path));
    }
  }
  for (const std::string& name : listing.files) {
    if (is_video_name(name))
      add(folder / name, ItemKind::video);
    else if (depth == 0 && is_picture_name(name))
      refuse_loose(folder / name);
    else
      dataset.ignored.push_back(name_in(dataset.root, folder / name));
  }
}

void add_class(Dataset& dataset, const fs::path& folder, const std::string& name, Split split) {
  const size_t before = dataset.items.size();
  const DatasetItem like{.label = label_of(dataset, name), .split = split};
  const Listing listing = list_folder(folder / name);
  const bool flat =
      holds_loose_pictures(listing) && listing.folders.empty() &&
      std::ranges::none_of(listing.files, [](const std::string& f) { return is_video_name(f); });
  if (flat)
    add_flat_clips(dataset, folder / name, listing, like);
  else
    add_clips(dataset, folder / name, listing, like, 0);
  if (dataset.items.size() == before)
    throw FileError((folder / name).string(), "the class folder contains neither videos nor pictures",
                    "Put clips into it, or remove it.");
}

/// The folder that contains the class folders: in Let's Dance it is `rgb`, next to other data derived from
/// the same videos.
fs::path class_root(const fs::path& root) {
  const fs::path rgb = root / "rgb";
  if (!fs::is_directory(rgb)) return root;
  const Listing listing = list_folder(rgb);
  return listing.folders.size() > 1 && !holds_loose_pictures(listing) ? rgb : root;
}

std::map<Split, std::string> split_folders_in(const fs::path& root) {
  std::map<Split, std::string> parts;
  for (const std::string& name : list_folder(root).folders)
    if (const std::optional<Split> part = split_named(name)) {
      if (!parts.emplace(*part, name).second)
        throw Error(
            text(root.string(), ": the folders ", parts[*part], " and ", name, " mean the same split"),
            "Keep one of them.");
    }
  return parts;
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

Look look_for_split_folders(const fs::path& root, const DatasetSettings&) {
  const auto parts = split_folders_in(root);
  std::vector<std::string> names;
  for (const auto& [part, name] : parts) names.push_back(name);
  if (parts.contains(Split::train)) return {true, "folders " + some_of(names)};
  return {false,
          names.empty() ? "no folder named train" : "a folder " + some_of(names) + ", but none named train"};
}

void read_split_folders(Dataset& dataset, const DatasetSettings&) {
  const auto parts = split_folders_in(dataset.root);
  for (const auto& [part, folder] : parts)
    for (const std::string& name : list_folder(dataset.root / folder).folders)
      dataset.classes.push_back(name);
  sort_unique(dataset.classes);
  for (const auto& [part, folder] : parts)
    for (const std::string& name : list_folder(dataset.root / folder).folders)
      add_class(dataset, dataset.root / folder, name, part);
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
  const std::vector<std::string> names = list_folder(folder).folders;
  dataset.classes = names;
  for (const std::string& name : names) add_class(dataset, folder, name, Split::train);
  if (names.size() > 1) assign_splits(dataset, settings.split);
}

void read_flat(Dataset& dataset, const DatasetSettings& settings) {
  // The same: whether pictures are loose is determined for each class folder.
  read_class_folders(dataset, settings);
}

}  // namespace laban
