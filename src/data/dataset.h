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
  std::filesystem::path path;  // a video file, or a folder of JPEG/PNG frames
  std::string name;            // relative to the dataset's root, for people
  int label = 0;
  std::string group;  // clips of one source share it, and stay in one split
  Split split = Split::train;
  ItemKind kind = ItemKind::video;
};

struct Dataset {
  std::filesystem::path root;
  std::vector<std::string> classes;  // sorted; label = position
  std::vector<DatasetItem> items;    // sorted by name

  std::vector<int> of(Split split) const;  // positions in items
};

struct SplitSettings {
  uint64_t seed = 1;
  double train = 0.8, validate = 0.1;  // the rest is for test
};

/// Reads a folder. In this order: a `split.csv` beside the classes (columns path,label,split[,group]); folders `train`, `val`, `test`
/// of class folders; class folders, split 80/10/10 deterministically, stratified by class, groups kept together
/// (`_gNN`, or the YouTube id before the last `_<second>`, else the file itself).
/// Throws Error where there is nothing to learn from (no class, an empty class, one class only).
Dataset open_dataset(const std::filesystem::path& root, const SplitSettings& split);

}  // namespace laban
