// Shared by several layouts: finding the files in a list, and the list of all layouts.
#include "data/dataset/layouts.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "core/error.h"
#include "data/dataset/split_names.h"

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
  }
  plain_ = candidates_.size();
  const fs::path above = settings.media.empty() ? root : settings.media;
  for (const std::string& name : laban::list_folder(above).folders) add(above / name);
  folder_ = candidates_.front();
}

bool MediaFolder::choose(std::span<const std::string> paths, std::optional<Split> split) {
  // A few paths tell.
  constexpr size_t kLooked = 64;
  const size_t step = std::max<size_t>(1, paths.size() / kLooked);
  struct Found {
    size_t clips = 0, candidate = 0;
    bool named = false;
  };
  const auto count_in = [&](size_t candidate, size_t stride) {
    std::error_code failed;
    size_t clips = 0;
    folder_ = candidates_[candidate];
    for (size_t i = 0; i < paths.size(); i += stride) clips += fs::exists(locate(paths[i]), failed);
    return clips;
  };
  std::vector<Found> found;
  for (const size_t stride : {step, size_t{1}}) {  // if none of the few exists, one of the others may
    for (size_t c = 0; c < candidates_.size(); ++c)
      if (const size_t clips = count_in(c, stride); clips > 0) {
        // Whatever other folders hold, nothing comes before one of these with all clips.
        if (c < plain_ && clips == (paths.size() + stride - 1) / stride) {
          rivals_.clear();
          return true;
        }
        const std::optional<SplitWord> word = split_word_in(candidates_[c].filename().string());
        found.push_back({clips, c, word && split && settle(*word, {}) == split});
      }
    if (!found.empty() || stride == 1) break;
  }
  rivals_.clear();
  folder_ = candidates_.front();
  if (found.empty()) return false;
  std::ranges::stable_sort(found, [](const Found& a, const Found& b) {
    return std::tuple(a.clips, a.named) > std::tuple(b.clips, b.named);
  });
  const Found& best = found.front();
  folder_ = candidates_[best.candidate];
  if (best.named || best.candidate < plain_) return true;
  std::error_code failed;
  const auto absolute = [](const std::string& path) { return fs::path(path).is_absolute(); };
  if (std::ranges::all_of(paths, absolute)) return true;
  for (const Found& other : found)
    if (other.clips == best.clips && !fs::equivalent(candidates_[other.candidate], folder_, failed))
      rivals_.push_back(candidates_[other.candidate].string());
  if (!rivals_.empty()) rivals_.insert(rivals_.begin(), folder_.string());
  return true;
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

// ---- splits and labels -------------------------------------------------------------------------------

void draw_splits(Dataset& dataset, const DatasetSettings& settings) {
  if (!settings.undivided) return assign_splits(dataset, settings.split);
  for (DatasetItem& item : dataset.items) item.split = Split::test;
  dataset.undivided = true;
}

void refuse_negative_label(const std::string& where, const std::string& label) {
  if (label.size() < 2 || label[0] != '-' || label.find_first_not_of("0123456789", 1) != std::string::npos)
    return;
  throw FileError(
      where, text("the label is ", label, ", which in lists of other tools means that there is none"),
      "Leave such clips out: a dataset needs a class for every clip. `laban predict LIST --run RUN` "
      "classifies a list of clips without labels.");
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
