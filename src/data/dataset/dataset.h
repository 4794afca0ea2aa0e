// Labeled videos: a list of items with classes and splits, whatever their layout on disk.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "data/dataset/annotation_list.h"
#include "data/dataset/filename_pattern.h"
#include "data/dataset/split.h"

namespace laban {

/// Which clips were assigned to splits by laban, not by the dataset.
enum class DrawnSplits : uint8_t {
  none,
  val,  // validation clips, from the training clips
  all,
};

enum class ItemKind : uint8_t { video, frame_folder, cached };

struct DatasetItem {
  std::filesystem::path path{};  // a video file, a folder of JPEG/PNG/BMP frames, or a shard of a cache
  std::string name{};            // relative to the dataset's root, for people; unique
  int label = 0;
  std::string group{};  // the same for clips from one source, which stay in one split
  Split split = Split::train;
  ItemKind kind = ItemKind::video;
  std::string filename_pattern{};     // folder: only pictures that match (FilenamePattern); empty: all
  std::optional<FrameRange> range{};  // only these frames belong to the clip; unset: all
};

struct Dataset {
  std::filesystem::path root{};        // a folder, or the folder of the file that lists the clips
  std::string layout{};                // which of kLayoutNames
  std::vector<std::string> classes{};  // label = position; sorted, numbers by their value
  std::vector<DatasetItem> items{};    // sorted by name
  std::vector<std::string> ignored{};  // files that are neither video nor picture, and empty folders, by name
  std::vector<std::string> notes{};    // sentences for the user
  DrawnSplits drawn = DrawnSplits::none;
  bool undivided =
      false;  // nothing says which clip is in which split, and none was drawn: all are test clips

  std::vector<int> of(Split split) const;  // positions in items, ascending; may be empty
  /// The same; Error if the split is empty, saying how to fill it.
  std::vector<int> require_split(Split split) const;
};

/// Dataset layouts, in the order in which they are tried; docs/data.md shows each.
constexpr std::array<const char*, 8> kLayoutNames{
    "index",    // laban-index.csv, written by `laban index`
    "csv",      // split.csv
    "ucf101",   // trainlist01.txt and so on
    "hmdb51",   // CLASS_test_split1.txt and so on
    "lists",    // annotation lists: PATH LABEL, PATH NUM_FRAMES LABEL, PATH START END LABEL
    "splits",   // folders train, val, test with class folders
    "flat",     // class folders of loose pictures, CLIP_0001.jpg: Let's Dance
    "classes",  // class folders of videos or of folders of pictures
};
constexpr const char* kIndexFile = "laban-index.csv";
/// The beginning of every index file.
constexpr std::string_view kIndexHeader = "# laban index of ";

struct DatasetSettings {
  std::string layout = "auto";  // or one of kLayoutNames
  int fold = 1;                 // which of several official splits: 1, 2, 3
  /// The pattern of picture names in folders that are clips, "img_%05d.jpg"; empty: detect.
  std::string filename_pattern{};
  PairMeaning list_columns = PairMeaning::automatic;  // lists: the two numbers in rows of four columns
  std::filesystem::path media{};  // lists: the folder to which paths are relative; empty: detect
  /// Listed clips that do not exist are kept (and fail when they are read) instead of making open_dataset
  /// throw a FileError.
  bool keep_missing = false;
  /// Throws an Error for clips outside the dataset's folder and `media`: by absolute paths, by "..", by links.
  bool confine = false;
  bool use_index = true;   // look for kIndexFile
  bool undivided = false;  // a dataset that defines no splits is to be one test split, of one class or more
  SplitSettings split{};
  bool operator==(const DatasetSettings&) const = default;
};

/// A folder in which no layout is found.
class NoDataset : public Error {
 public:
  using Error::Error;
};

/// Reads a dataset: a folder in the first layout that fits, or a file that is an annotation list or an index.
/// A clip is a video file or a sequence of pictures. Files are recognized by their extensions; hidden ones
/// are ignored. If the layout defines no splits, clips are split 80/10/10: stratified by class, groups kept
/// together, and a pure function of (seed, names). Throws Error if there is nothing to learn (no class, an
/// empty class, only one class) or if no layout fits (saying what was expected and what was found), and
/// FileError for an invalid file.
Dataset open_dataset(const std::filesystem::path& path, const DatasetSettings& settings);

/// The dataset as a table that open_dataset can read: columns path,label,split,group and, if clips need them,
/// frames,first,count,name. Paths inside `folder` are relative to it.
std::string index_text(const Dataset& dataset, const std::filesystem::path& folder);

/// Clips without labels (label 0, split test), in the given order, for prediction. A folder is a clip if it holds
/// pictures; otherwise, or if it holds videos as well, the clips in it are taken, at any depth, by name. A text file
/// (.txt, .csv, .tsv, .lst, .list) is a list of clips, relative to its folder, if one of them exists; labels in it
/// are ignored. FileError for a folder without any.
Dataset unlabeled(const std::vector<std::filesystem::path>& clips);

}  // namespace laban
