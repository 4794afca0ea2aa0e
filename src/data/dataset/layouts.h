// The ways in which a dataset can lie on the disk. Each says whether it fits a folder, and reads it. Inside
// of src/data only.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "data/dataset/clip_files.h"
#include "data/dataset/dataset.h"

namespace laban {

/// What a look at a folder told.
struct Look {
  bool fits = false;
  std::string found{};    // for people: "no split.csv", "12 folders, none with clips"
  std::string warning{};  // something here looks as if it was meant, and cannot be used; else empty
};

struct Layout {
  const char* name;       // one of kLayoutNames
  const char* looks_for;  // for people
  Look (*look)(const std::filesystem::path& root, const DatasetSettings& settings);
  /// Fills classes and items (of a dataset whose root is set), and draws splits where the layout names none.
  void (*read)(Dataset& dataset, const DatasetSettings& settings);
};
/// In the order of kLayoutNames.
std::span<const Layout> all_layouts();

// ---- csv: split.csv and the index --------------------------------------------------------------------
Look look_for_index(const std::filesystem::path& root, const DatasetSettings& settings);
void read_index(Dataset& dataset, const DatasetSettings& settings);
Look look_for_split_csv(const std::filesystem::path& root, const DatasetSettings& settings);
void read_split_csv(Dataset& dataset, const DatasetSettings& settings);
/// A table with the columns path,label and perhaps split,group,frames,first,count,name.
void read_table(Dataset& dataset, const std::filesystem::path& file, const DatasetSettings& settings);

// ---- official lists ----------------------------------------------------------------------------------
Look look_for_ucf101(const std::filesystem::path& root, const DatasetSettings& settings);
void read_ucf101(Dataset& dataset, const DatasetSettings& settings);
Look look_for_hmdb51(const std::filesystem::path& root, const DatasetSettings& settings);
void read_hmdb51(Dataset& dataset, const DatasetSettings& settings);

// ---- annotation lists --------------------------------------------------------------------------------
Look look_for_lists(const std::filesystem::path& root, const DatasetSettings& settings);
void read_lists(Dataset& dataset, const DatasetSettings& settings);
/// One list, by itself.
void read_list_file(Dataset& dataset, const std::filesystem::path& file, const DatasetSettings& settings);

// ---- folders -----------------------------------------------------------------------------------------
Look look_for_split_folders(const std::filesystem::path& root, const DatasetSettings& settings);
void read_split_folders(Dataset& dataset, const DatasetSettings& settings);
Look look_for_flat(const std::filesystem::path& root, const DatasetSettings& settings);
void read_flat(Dataset& dataset, const DatasetSettings& settings);
Look look_for_class_folders(const std::filesystem::path& root, const DatasetSettings& settings);
void read_class_folders(Dataset& dataset, const DatasetSettings& settings);

// ---- shared ------------------------------------------------------------------------------------------

/// Where listed clips lie: the first of the candidates in which one of the paths is found.
class MediaFolder {
 public:
  /// Candidates: settings.media where it is set; else `list_folder`, the dataset's root, and its folders.
  MediaFolder(const std::filesystem::path& root, const std::filesystem::path& list_folder,
              const DatasetSettings& settings);
  /// Chooses by these paths; false where none of them is anywhere.
  bool choose(std::span<const std::string> paths);
  /// The file or folder that a list calls `path`: as it is, without a leading /, or a folder of frames called
  /// as the video without its extension. Where there is nothing: where it would be.
  std::filesystem::path locate(const std::string& path) const;
  /// For errors: "/data/lists, /data, /data/videos".
  std::string tried() const;

 private:
  std::vector<std::filesystem::path> candidates_;
  std::filesystem::path folder_;
};

/// Clips that are listed and not there, to be told at once.
class MissingClips {
 public:
  void add(const std::filesystem::path& list, int line, const std::string& path);
  /// FileError naming the first and how many there are, unless settings.keep_missing; then a note.
  void settle(Dataset& dataset, int64_t listed, const DatasetSettings& settings) const;

 private:
  std::string list_, first_;
  int line_ = 0;
  int64_t count_ = 0;
};

/// Official lists name no validation clips: sets aside some of the training groups for it, and says so.
void draw_validation(Dataset& dataset, const SplitSettings& settings);

}  // namespace laban
