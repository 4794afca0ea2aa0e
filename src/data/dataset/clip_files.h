// Finding clips on disk. Internal to src/data.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset/dataset.h"

namespace laban {

/// A folder's contents sorted by name, without hidden entries: the same on every file system.
struct Listing {
  std::vector<std::string> folders, files;
};
/// FileError if the folder cannot be read.
Listing list_folder(const std::filesystem::path& folder);

/// Whether the extension is that of a video.
bool is_video_name(const std::filesystem::path& path);
/// Whether a folder contains a picture.
bool holds_pictures(const std::filesystem::path& folder);

/// Whether there is a clip in the folder, at any depth: a video, or a picture.
bool holds_clips(const std::filesystem::path& folder, int depth = 0);

/// `path` for display: relative to the dataset's root if it is inside it.
std::string name_in(const std::filesystem::path& root, const std::filesystem::path& path);
/// An item without a label; its name and group follow from its path.
DatasetItem make_item(const std::filesystem::path& root, const std::filesystem::path& path, ItemKind kind);

/// "[12-80]" for frames 12 to 80; empty for a whole file. Distinguishes the clips of one file.
std::string range_suffix(const std::optional<FrameRange>& range);

void sort_unique(std::vector<std::string>& names);
/// The position of a class by its name, which must exist.
int label_of(const Dataset& dataset, const std::string& name);

/// "a", "a and b", "a, b and 3 more".
std::string some_of(const std::vector<std::string>& names);

}  // namespace laban
