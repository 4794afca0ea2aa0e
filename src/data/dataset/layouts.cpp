// Shared by several layouts: finding the files in a list, and the list of all layouts.
#include "data/dataset/layouts.h"

#include <algorithm>
#include <array>

#include "core/error.h"

namespace laban {
namespace fs = std::filesystem;

std::span<const Layout> all_layouts() {
  static constexpr std::array<Layout, kLayoutNames.size()> kLayouts{{
      {"index", "laban-index.csv, written by `laban index`", look_for_index, read_index},
      {"csv", "split.csv (columns path,label,split)", look_for_split_csv, read_split_csv},
      {"ucf101", "UCF-101's trainlist01.txt and testlist01.txt", look_for_ucf101, read_ucf101},
      {"hmdb51", "HMDB-51's CLASS_test_split1.txt", look_for_hmdb51, read_hmdb51},
      {"lists", "annotation lists (*.txt, *.csv) whose clips exist", look_for_lists, read_lists},
      {"splits", "folders train, val and test, with class folders", look_for_split_folders,
       read_split_folders},
      {"flat", "class folders of loose pictures CLIP_0001.jpg (Let's Dance)", look_for_flat, read_flat},
      {"classes", "class folders of videos, or of folders of pictures", look_for_class_folders,
       read_class_folders},
  }};
  return kLayouts;
}

// ---- MediaFolder -------------------------------------------------------------------------------------

MediaFolder::MediaFolder(const fs::path& root, const fs::path& list_folder, const DatasetSettings& settings) {
  const auto add = [&](const fs::path& folder) {
    if (std::ranges::find(candidates_, folder) == candidates_.end()) candidates_.push_back(folder);
  };
  if (!settings.media.empty()) {
    if (!fs::is_directory(settings.media))
      throw UsageError(text("--media ", settings.media.string(), ": there is no such folder"),
                       "Give the folder to which the paths in the lists are relative.");
    add(settings.media);
  } else {
    add(list_folder);
    add(root);
    for (const std::string& name : laban::list_folder(root).folders) add(root / name);
  }
  folder_ = candidates_.front();
}

bool MediaFolder::choose(std::span<const std::string> paths) {
  std::error_code failed;
  for (const std::string& path : paths)
    for (const fs::path& candidate : candidates_) {
      folder_ = candidate;
      if (fs::exists(locate(path), failed)) return true;
    }
  folder_ = candidates_.front();
  return false;
}

fs::path MediaFolder::locate(const std::string& path) const {
  std::error_code failed;
  const fs::path asked(path);
  if (asked.is_absolute() && fs::exists(asked, failed)) return asked;
  const fs::path inside = folder_ / asked.relative_path();
  if (!fs::exists(inside, failed) && is_video_name(inside)) {
    const fs::path frames = fs::path(inside).replace_extension();
    if (fs::is_directory(frames, failed)) return frames;
  }
  return inside;
}

std::string MediaFolder::tried() const {
  std::vector<std::string> names;
  for (const fs::path& candidate : candidates_) names.push_back(candidate.string());
  return some_of(names);
}

// ---- MissingClips ------------------------------------------------------------------------------------

void MissingClips::add(const fs::path& list, int line, const std::string& path) {
  if (count_++ == 0) list_ = list.string(), line_ = line, first_ = path;
}

void MissingClips::settle(Dataset& dataset, int64_t listed, const DatasetSettings& settings) const {
  if (count_ == 0) return;
  const std::string more =
      count_ == 1 ? "" : text(", and ", count_ - 1, " more of ", listed, " clips are missing");
  if (settings.keep_missing)
    dataset.notes.push_back(text(list_, ", line ", line_, ": there is no file \"", first_, "\"", more));
  else
    throw FileError(
        text(list_, ", line ", line_), text("there is no file \"", first_, "\"", more),
        "Correct the path (relative to the list's folder, or to --media DIR), or leave out missing clips "
        "with --on-bad-file exclude.");
}

}  // namespace laban
