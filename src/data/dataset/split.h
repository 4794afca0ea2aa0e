// Training, validation and test clips: the three splits, and how clips are divided if the dataset does not
// say.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace laban {

struct Dataset;

enum class Split : uint8_t { train, val, test };
constexpr std::array<const char*, 3> kSplitNames{"train", "val", "test"};

/// Which clips stay in one split.
enum class SplitBy : uint8_t {
  file,     // only those of one file
  name,     // those whose names tell the same source
  content,  // these, and those that look alike or show the same scene (data/scene/scenes.h)
};

struct SplitSettings {
  uint64_t seed = 1;
  SplitBy by = SplitBy::content;
  double train = 0.8, val = 0.1;  // the rest is the test split
  bool operator==(const SplitSettings&) const = default;
};

/// The group in a clip's name, or the name itself: `..._gNN...` contains one (UCF-101), and so do the eleven
/// characters of a YouTube id before `_<second>` or `_<start>_<end>` (Kinetics). `name` has no extension.
std::string group_of(const std::string& name);

/// Assigns every item to a split as described at open_dataset. SplitBy::file gives every file a group of its own;
/// otherwise the items' groups count, which for SplitBy::content keep_scenes_together() joins. Error if a class of
/// three or more clips has only one group.
void assign_splits(Dataset& dataset, const SplitSettings& settings);

}  // namespace laban
