// Labeled videos: a list of items with classes and splits, however they lie on the disk.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset/filename_pattern.h"
#include "data/dataset/split.h"

namespace laban {

enum class ItemKind : uint8_t { video, frame_folder, cached };

struct DatasetItem {
  std::filesystem::path path{};  // a video file, a folder of JPEG/PNG/BMP frames, or a shard of a cache
  std::string name{};            // relative to the dataset's root, for people; no two items have the same
  int label = 0;
  std::string group{};  // clips of one source share it, and stay in one split
  Split split = Split::train;
  ItemKind kind = ItemKind::video;
  std::string filename_pattern{};     // folder: only pictures called so (FilenamePattern); empty: all
  std::optional<FrameRange> range{};  // only these frames are the clip; unset: all
};

struct Dataset {
  std::filesystem::path root{};        // a folder, or the folder of the file that lists the clips
  std::string layout{};                // which of kLayoutNames
  std::vector<std::string> classes{};  // label = position; sorted, numbers by their value
  std::vector<DatasetItem> items{};    // sorted by name
  std::vector<std::string> ignored{};  // files found beside the clips that are neither video nor picture, and
                                       // empty folders, by name
  std::vector<std::string> notes{};    // what a person should know: sentences
  bool splits_drawn = false;           // assign_splits gave the splits, or some of them

  std::vector<int> of(Split split) const;  // positions in items, ascending; may be empty
  /// The same; Error where the split is empty, with how to fill it.
  std::vector<int> require_split(Split split) const;
};

/// The ways in which a dataset can lie on the disk, in the order in which they are looked for; docs/data.md
/// shows each.
constexpr std::array<const char*, 8> kLayoutNames{
    "index",    // laban-index.csv, which `laban index` writes
    "csv",      // split.csv
    "ucf101",   // trainlist01.txt and so on
    "hmdb51",   // CLASS_test_split1.txt and so on
    "lists",    // annotation lists: PATH LABEL, PATH NUM_FRAMES LABEL, PATH START END LABEL
    "splits",   // folders train, val, test with class folders
    "flat",     // class folders of loose pictures, CLIP_0001.jpg: Let's Dance
    "classes",  // class folders of videos or of folders of pictures
};
constexpr const char* kIndexFile = "laban-index.csv";
/// How every index begins.
constexpr std::string_view kIndexHeader = "# laban index of ";

struct DatasetSettings {
  std::string layout = "auto";  // or one of kLayoutNames
  int fold = 1;                 // which of several official splits: 1, 2, 3
  std::string
      filename_pattern{};         // lists: how pictures are called, "img_%05d.jpg"; empty: told by the folder
  std::filesystem::path media{};  // lists: where their paths begin; empty: found by looking
  /// Clips that are listed but not there stay (and fail when they are read) instead of ending open_dataset
  /// with a FileError.
  bool keep_missing = false;
  bool use_index = true;  // look for kIndexFile
  SplitSettings split{};
};

/// Reads a dataset: a folder in the first layout that fits, or a file: an annotation list, or an index.
/// A clip is a video file, or pictures. Files are told by their extensions; hidden ones are left alone. Where
/// the layout names no splits, clips are split 80/10/10: stratified by class, groups kept together, and a
/// pure function of (seed, names). Throws Error where there is nothing to learn from (no class, an empty
/// class, one class only), where no layout fits (with what was looked for and what was found), FileError for
/// a file that is wrong.
Dataset open_dataset(const std::filesystem::path& path, const DatasetSettings& settings);

/// The dataset as a table that open_dataset reads: columns path,label,split,group and, where clips need them,
/// frames,first,count,name. Paths are relative to `folder` where they lie in it.
std::string index_text(const Dataset& dataset, const std::filesystem::path& folder);

/// Clips without labels (label 0, split test), in the order given: for prediction. A folder is a clip if it holds
/// pictures; otherwise, or if it holds videos as well, the clips in it are taken, at any depth, by name. FileError
/// for a folder without any.
Dataset unlabeled(const std::vector<std::filesystem::path>& clips);

}  // namespace laban
