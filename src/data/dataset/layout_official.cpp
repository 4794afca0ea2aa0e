// UCF-101 and HMDB-51 with the lists that their authors published.
//
// UCF-101: trainlist01.txt has lines like "Archery/v_Archery_g08_c01.avi 3", testlist01.txt the same without
// the number. HMDB-51: brush_hair_test_split1.txt has lines like "NAME.avi 1": 1 for training, 2 for test, 0
// for neither. Both come in three folds, and neither defines validation clips.
#include <algorithm>
#include <set>

#include "core/error.h"
#include "data/dataset/annotation_list.h"
#include "data/dataset/layouts.h"

namespace laban {
namespace fs = std::filesystem;
namespace {

struct Line {
  int number = 0;
  std::string text{};
};

/// The nonblank lines of a file, trimmed. `comments`: without those that begin with #.
std::vector<Line> lines_of(const fs::path& file, bool comments) {
  std::vector<Line> lines;
  const std::string all = read_list_text(file);
  int number = 0;
  for (size_t at = 0; at < all.size();) {
    const size_t end = std::min(all.find('\n', at), all.size());
    ++number;
    const size_t first = all.find_first_not_of(" \t\r", at), last = all.find_last_not_of(" \t\r\n", end);
    const bool comment = first < end && all[first] == '#' && (comments || all.substr(first + 1, 1) == " ");
    if (first < end && !comment) lines.push_back({number, all.substr(first, last - first + 1)});
    at = end + 1;
  }
  return lines;
}

/// The folder that fits, among `root`, its folders, and the folders in those whose names suggest splits;
/// empty if none does.
fs::path find_lists(const fs::path& root, const std::function<bool(const fs::path&)>& fits) {
  if (fits(root)) return root;
  for (const std::string& name : list_folder(root).folders) {
    if (fits(root / name)) return root / name;
    if (name.find("plit") == std::string::npos && name.find("ist") == std::string::npos) continue;
    for (const std::string& deeper : list_folder(root / name).folders)
      if (fits(root / name / deeper)) return root / name / deeper;
  }
  return {};
}

[[noreturn]] void refuse_fold(const fs::path& file, int fold) {
  throw UsageError(text("there is no fold ", fold, ": no file ", file.string()),
                   "The official folds are --fold 1, 2 and 3.");
}

/// Adds a listed clip.
class Adder {
 public:
  Adder(Dataset& dataset, const fs::path& lists, const DatasetSettings& settings)
      : dataset_(dataset), settings_(settings), media_(dataset.root, lists, settings) {}

  struct Row {
    fs::path list;
    int line;
    std::string path, label;
    Split split;
    std::string group{};  // empty: from the name
  };
  void add(const std::vector<Row>& rows) {
    std::vector<std::string> paths;
    for (const Row& row : rows) {
      paths.push_back(row.path);
      dataset_.classes.push_back(row.label);
    }
    sort_unique(dataset_.classes);
    if (!media_.choose(paths))
      throw FileError(
          text(rows.front().list.string(), ", line ", rows.front().line),
          text("\"", rows.front().path, "\" does not exist, nor does any other clip in the lists; searched ",
               media_.tried()),
          "Put the videos next to the lists, or give their folder with --media DIR.");
    MissingClips missing;
    for (const Row& row : rows) {
      const fs::path clip = media_.locate(row.path);
      std::error_code failed;
      if (!fs::exists(clip, failed)) missing.add(row.list, row.line, row.path);
      DatasetItem item = make_item(dataset_.root, clip,
                                   fs::is_directory(clip, failed) ? ItemKind::frame_folder : ItemKind::video);
      item.label = label_of(dataset_, row.label);
      item.split = row.split;
      if (!row.group.empty()) item.group = row.group;
      dataset_.items.push_back(std::move(item));
    }
    missing.settle(dataset_, static_cast<int64_t>(rows.size()), settings_);
    draw_val(dataset_, settings_.split);
  }

 private:
  Dataset& dataset_;
  const DatasetSettings& settings_;
  MediaFolder media_;
};

// ---- UCF-101 -----------------------------------------------------------------------------------------

fs::path ucf101_lists(const fs::path& root) {
  return find_lists(root, [](const fs::path& folder) { return fs::exists(folder / "trainlist01.txt"); });
}

// ---- HMDB-51 -----------------------------------------------------------------------------------------

constexpr std::string_view kHmdbMiddle = "_test_split";

/// The lists of one fold, as pairs of file and class. Fold 0: any.
std::vector<std::pair<fs::path, std::string>> hmdb51_files(const fs::path& folder, int fold) {
  std::vector<std::pair<fs::path, std::string>> files;
  if (!fs::is_directory(folder)) return files;
  for (const std::string& name : list_folder(folder).files) {
    const size_t middle = name.rfind(kHmdbMiddle);
    if (middle == std::string::npos || middle == 0 || !name.ends_with(".txt")) continue;
    if (fold == 0 || name.substr(middle) == text(kHmdbMiddle, fold, ".txt"))
      files.emplace_back(folder / name, name.substr(0, middle));
  }
  return files;
}

fs::path hmdb51_lists(const fs::path& root) {
  return find_lists(root, [](const fs::path& folder) { return !hmdb51_files(folder, 0).empty(); });
}

/// "April_09_brush_hair_u_nm_np1_ba_goo_0.avi" is cut from the film that its name begins with.
std::string hmdb51_source(const std::string& file, const std::string& label) {
  const size_t at = file.rfind("_" + label + "_");
  return at == std::string::npos || at == 0 ? "" : file.substr(0, at);
}

}  // namespace

Look look_for_ucf101(const fs::path& root, const DatasetSettings&) {
  const fs::path lists = ucf101_lists(root);
  return lists.empty() ? Look{false, "no trainlist01.txt"} : Look{true, lists.string()};
}

void read_ucf101(Dataset& dataset, const DatasetSettings& settings) {
  const fs::path lists = ucf101_lists(dataset.root);
  std::vector<Adder::Row> rows;
  for (const auto& [name, split] : {std::pair{"trainlist0", Split::train}, {"testlist0", Split::test}}) {
    const fs::path file = lists / text(name, settings.fold, ".txt");
    if (!fs::exists(file)) refuse_fold(file, settings.fold);
    for (const Line& line : lines_of(file, true)) {
      // The class number, if there is one, adds nothing to the folder's name.
      const size_t space = line.text.find_last_of(" \t");
      const bool numbered = space != std::string::npos &&
                            line.text.find_first_not_of("0123456789", space + 1) == std::string::npos;
      std::string path =
          line.text.substr(0, numbered ? line.text.find_last_not_of(" \t", space) + 1 : line.text.size());
      const size_t slash = path.find('/');
      if (slash == std::string::npos || slash == 0)
        throw FileError(text(file.string(), ", line ", line.number),
                        text("\"", path, "\" has no class folder"),
                        "Rows have the form CLASS/CLIP.avi NUMBER.");
      std::string label = path.substr(0, slash);
      rows.push_back({file, line.number, std::move(path), std::move(label), split});
    }
  }
  if (rows.empty()) throw FileError(lists.string(), "the lists name no clips");
  Adder(dataset, lists, settings).add(rows);
}

Look look_for_hmdb51(const fs::path& root, const DatasetSettings&) {
  const fs::path lists = hmdb51_lists(root);
  return lists.empty() ? Look{false, "no CLASS_test_split1.txt"} : Look{true, lists.string()};
}

void read_hmdb51(Dataset& dataset, const DatasetSettings& settings) {
  const fs::path lists = hmdb51_lists(dataset.root);
  const auto files = hmdb51_files(lists, settings.fold);
  if (files.empty()) refuse_fold(lists / text("*", kHmdbMiddle, settings.fold, ".txt"), settings.fold);
  std::vector<Adder::Row> rows;
  for (const auto& [file, label] : files)
    for (const Line& line : lines_of(file, false)) {  // names of clips begin with #, too
      const size_t space = line.text.find_last_of(" \t");
      const std::string part = space == std::string::npos ? "" : line.text.substr(space + 1);
      const bool valid = part == "0" || part == "1" || part == "2";
      if (!valid && line.text[0] == '#') continue;
      if (!valid)
        throw FileError(text(file.string(), ", line ", line.number),
                        text("\"", line.text, "\" does not end in 0, 1 or 2"),
                        "Rows have the form CLIP.avi PART: 1 for training, 2 for test, 0 for neither.");
      if (part == "0") continue;
      const std::string clip = line.text.substr(0, line.text.find_last_not_of(" \t", space) + 1);
      rows.push_back({file, line.number, label + "/" + clip, label, part == "1" ? Split::train : Split::test,
                      hmdb51_source(clip, label)});
    }
  if (rows.empty()) throw FileError(lists.string(), "the lists name no clips");
  Adder(dataset, lists, settings).add(rows);
}

}  // namespace laban
