// Training, validation and test clips: the three splits, and how clips are divided among them where nobody did.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace laban {

struct Dataset;

enum class Split : uint8_t { train, val, test };
constexpr std::array<const char*, 3> kSplitNames{"train", "val", "test"};

struct SplitSettings {
  uint64_t seed = 1;
  double train = 0.8, val = 0.1;  // the rest is for test
  bool operator==(const SplitSettings&) const = default;
};

/// The group that a clip's name tells, or the name itself: `..._gNN...` names one (UCF-101), and the eleven
/// letters of a YouTube id do before `_<second>` or `_<start>_<end>` (Kinetics). `name` is without extension.
std::string group_of(const std::string& name);

/// Gives every item a split as open_dataset does. Error where a class of three or more clips has only one
/// group.
void assign_splits(Dataset& dataset, const SplitSettings& settings);

}  // namespace laban
