#include "data/dataset/clip_files.h"

#include <algorithm>
#include <array>

#include "core/machine_error.h"
#include "data/picture/image_folder.h"

namespace laban {
namespace fs = std::filesystem;
namespace {

constexpr std::array<std::string_view, 29> kVideoExtensions{
    ".264",  ".265",  ".3g2", ".3gp", ".asf",  ".avi", ".divx", ".flv", ".gif", ".h264",
    ".h265", ".hevc", ".ivf", ".jsv", ".m2ts", ".m4v", ".mkv",  ".mov", ".mp4", ".mpeg",
    ".mpg",  ".mts",  ".ogm", ".ogv", ".ts",   ".vob", ".webm", ".wmv", ".y4m"};

}  // namespace

bool is_video_name(const fs::path& path) {
  return std::ranges::find(kVideoExtensions, lower_extension(path)) != kVideoExtensions.end();
}

Listing list_folder(const fs::path& folder) {
  Listing listing;
  try {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
      std::string name = entry.path().filename().string();
      if (name.starts_with('.')) continue;
      std::error_code broken;  // a dangling link is a file that cannot be read
      (entry.is_directory(broken) ? listing.folders : listing.files).push_back(std::move(name));
    }
  } catch (const fs::filesystem_error& error) {
    throw_file_fault(folder, "cannot read the folder", error.code().value());
  }
  std::ranges::sort(listing.folders);
  std::ranges::sort(listing.files);
  return listing;
}

bool holds_pictures(const fs::path& folder) {
  std::error_code failed;
  for (fs::directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed))
    if (is_picture_name(at->path()) && !at->path().filename().string().starts_with('.') &&
        at->is_regular_file(failed))
      return true;
  if (failed) throw_if_machine_fault(folder, failed.value());
  return false;
}

bool holds_clips(const fs::path& folder, int depth) {
  constexpr int kDeepest = 6;  // a link to a folder above would never end
  std::vector<fs::path> deeper;
  std::error_code failed;
  for (fs::directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed)) {
    if (at->path().filename().string().starts_with('.')) continue;
    if (is_video_name(at->path()) || is_picture_name(at->path())) return true;
    std::error_code broken;
    if (at->is_directory(broken)) deeper.push_back(at->path());
  }
  if (failed) throw_if_machine_fault(folder, failed.value());
  return depth < kDeepest &&
         std::ranges::any_of(deeper, [&](const fs::path& path) { return holds_clips(path, depth + 1); });
}

std::string name_in(const fs::path& root, const fs::path& path) {
  const fs::path relative = path.lexically_normal().lexically_relative(root.lexically_normal());
  const bool inside = !relative.empty() && *relative.begin() != "..";
  return (inside ? relative : path).generic_string();
}

DatasetItem make_item(const fs::path& root, const fs::path& path, ItemKind kind) {
  DatasetItem item{.path = path, .name = name_in(root, path), .kind = kind};
  const std::string stem = kind == ItemKind::video ? path.stem().string() : path.filename().string();
  const std::string told = group_of(stem);
  // If the name does not reveal a source, the clip is a source of its own, even if another has the same name.
  item.group = told == stem ? item.name : told;
  return item;
}

std::string range_suffix(const std::optional<FrameRange>& range) {
  if (!range || !range->first) return "";
  return text('[', *range->first, '-', *range->first + range->count - 1, ']');
}

void sort_unique(std::vector<std::string>& names) {
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
}

int label_of(const Dataset& dataset, const std::string& name) {
  const auto at = std::ranges::find(dataset.classes, name);
  require(at != dataset.classes.end(), "label_of: no such class");
  return static_cast<int>(at - dataset.classes.begin());
}

std::string some_of(const std::vector<std::string>& names) {
  constexpr size_t kShown = 3;
  std::string out;
  const size_t shown = names.size() > kShown + 1 ? kShown : names.size();
  for (size_t i = 0; i < shown; ++i)
    out += text(i == 0 ? "" : i + 1 == names.size() ? " and " : ", ", names[i]);
  if (shown < names.size()) out += text(" and ", names.size() - shown, " more");
  return out;
}

}  // namespace laban
