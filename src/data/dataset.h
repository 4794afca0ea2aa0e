// Labelled videos: a list of items with classes and splits.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace laban {

enum class Split : uint8_t { train, validate, test };
constexpr std::array<const char*, 3> kSplitNames{"train", "val", "test"};

enum class ItemKind : uint8_t { video, frame_folder };

struct DatasetItem {
  std::filesystem::path path{};  // a video file, or a folder of JPEG/PNG/BMP frames
  std::string name{};            // relative to the dataset's root, for people
  int label = 0;
  std::string group{};  // clips of one source share it, and stay in one split
  Split split = Split::train;
  ItemKind kind = ItemKind::video;
};

struct Dataset {
  std::filesystem::path root{};
  std::vector<std::string> classes{};  // sorted; label = position
  std::vector<DatasetItem> items{};    // sorted by name
  std::vector<std::string>
      ignored{};  // files found beside the clips that are neither video nor picture, by name

  std::vector<int> of(Split split) const;  // positions in items, ascending; may be empty
  /// The same; Error where the split is empty, with how to fill it.
  std::vector<int> require_split(Split split) const;
};

struct SplitSettings {
  uint64_t seed = 1;
  double train = 0.8, validate = 0.1;  // the rest is for test
};

/// Reads a folder. In this order:
///   1. a `split.csv` in it (a header line, then one clip a line; columns path,label,split[,group], others
///   are left
///      alone; paths relative to the folder; splits train, val, test);
///   2. folders `train`, `val`, `test` (at least train), each with class folders;
///   3. class folders, split 80/10/10: stratified by class, groups kept together, and a pure function of
///   (seed, names).
/// A clip is a video file, or a folder that holds pictures; folders inside a class folder are searched. Files
/// are told by their extensions; hidden ones are left alone. The group of a clip is, from its name: what ends
/// in `_gNN` (UCF-101), the YouTube id before
/// `_<second>`, else the clip itself.
/// Throws Error where there is nothing to learn from (no class, an empty class, one class only, a missing
/// file).
Dataset open_dataset(const std::filesystem::path& root, const SplitSettings& split);

/// Clips without labels (label 0, split test), in the order given: for prediction. Folders are frame folders.
Dataset unlabelled(const std::vector<std::filesystem::path>& clips);

/// The group that a clip's name tells, or the name itself. `name` is without extension.
std::string group_of(const std::string& name);

/// Gives every item a split as open_dataset does. Error where a class of three or more clips has only one
/// group.
void assign_splits(Dataset& dataset, const SplitSettings& settings);

}  // namespace laban
