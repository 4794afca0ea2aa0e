// Dataset layouts. Each tells whether it fits a folder, and reads it. Internal to src/data.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/dataset/clip_files.h"
#include "data/dataset/dataset.h"

namespace laban {

/// The result of examining a folder.
struct Look {
  bool fits = false;
  std::string found{};    // for people: "no split.csv", "12 folders, none with clips"
  std::string warning{};  // something that was probably meant to be this, but cannot be used; else empty
  /// Something that assigns clips to splits but cannot be read: no layout that draws splits may take its place.
  std::string unread_split{};
};

struct Layout {
  const char* name;       // one of kLayoutNames
  const char* looks_for;  // for people
  Look (*look)(const std::filesystem::path& root, const DatasetSettings& settings);
  /// Fills in classes and items (of a dataset whose root is set), and draws splits if the layout defines
  /// none.
  void (*read)(Dataset& dataset, const DatasetSettings& settings);
};
/// In the order of kLayoutNames.
std::span<const Layout> all_layouts();

// ---- csv: split.csv and the index --------------------------------------------------------------------
Look look_for_index(const std::filesystem::path& root, const DatasetSettings& settings);
void read_index(Dataset& dataset, const DatasetSettings& settings);
Look look_for_split_csv(const std::filesystem::path& root, const DatasetSettings& settings);
void read_split_csv(Dataset& dataset, const DatasetSettings& settings);
/// A table with the columns path,label and optionally split,group,frames,first,count,name.
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

/// The folder of the listed clips: the candidate that contains most of the paths.
class MediaFolder {
 public:
  /// Candidates: settings.media and its folders if it is set; else `list_folder`, the dataset's root, and its
  /// folders.
  MediaFolder(const std::filesystem::path& root, const std::filesystem::path& list_folder,
              const DatasetSettings& settings);
  /// Chooses the folder by these paths; false if none of them exists in any. Of folders with equally many, one that
  /// is named for the list's split comes first (videos_val for a list of validation clips), then the list's own
  /// folder and the dataset's; rivals() names others.
  bool choose(std::span<const std::string> paths, std::optional<Split> split = {});
  /// Folders that contain as many of the paths as the chosen one, if nothing tells which is meant: the first of these
  /// is the chosen one. Empty: there is no doubt.
  const std::vector<std::string>& rivals() const { return rivals_; }
  /// The file or folder that a list calls `path`: as given, without a leading /, or a folder of frames that
  /// has the video's name without the extension. If there is none, where it would be.
  std::filesystem::path locate(const std::string& path) const;
  /// For errors: "/data/lists, /data, /data/videos".
  std::string tried() const;

 private:
  std::vector<std::filesystem::path> candidates_;
  size_t plain_ = 0;  // candidates that come first without being asked for
  std::filesystem::path folder_;
  std::vector<std::string> rivals_;
};

/// Listed clips that do not exist, to be reported together.
class MissingClips {
 public:
  void add(const std::filesystem::path& list, int line, const std::string& path);
  /// FileError that names the first and gives their number; only a note if settings.keep_missing.
  void settle(Dataset& dataset, int64_t listed, const DatasetSettings& settings) const;

 private:
  std::string list_, first_;
  int line_ = 0;
  int64_t count_ = 0;
};

/// assign_splits() for a dataset that does not say which clip is in which split; or, with settings.undivided, all of it
/// as test clips.
void draw_splits(Dataset& dataset, const DatasetSettings& settings);

/// Throws the FileError for a label that means "none" in other tools' lists: -1.
void refuse_negative_label(const std::string& where, const std::string& label);

/// Official lists define no validation clips: sets aside some of the training groups, and adds a note.
void draw_val(Dataset& dataset, const SplitSettings& settings);
/// Whether a note is the one that draw_val() added.
bool is_note_on_val(const std::string& note);

}  // namespace laban
