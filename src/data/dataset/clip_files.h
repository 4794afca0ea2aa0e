// Looking for clips on the disk. Inside of src/data only.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset/dataset.h"

namespace laban {

/// What a folder holds, by name, hidden entries left out: the same on every file system.
struct Listing {
  std::vector<std::string> folders, files;
};
/// FileError where the folder cannot be read.
Listing list_folder(const std::filesystem::path& folder);

/// Is it a video, by its extension?
bool is_video_name(const std::filesystem::path& path);
/// Does a folder hold a picture?
bool holds_pictures(const std::filesystem::path& folder);

/// "train", "val", "test" and what else they are called.
std::optional<Split> split_named(std::string_view name);

/// `path` as it is shown: relative to the dataset's root where it lies in it.
std::string name_in(const std::filesystem::path& root, const std::filesystem::path& path);
/// An item without a label, its name and group told by its path.
DatasetItem make_item(const std::filesystem::path& root, const std::filesystem::path& path, ItemKind kind);

/// "[12-80]" for the frames 12 to 80; nothing for a whole file. Tells apart the clips of one file.
std::string range_suffix(const std::optional<FrameRange>& range);

void sort_unique(std::vector<std::string>& names);
/// The position of a class by its name, which must be there.
int label_of(const Dataset& dataset, const std::string& name);

/// "a", "a and b", "a, b and 3 more".
std::string some_of(const std::vector<std::string>& names);

}  // namespace laban
