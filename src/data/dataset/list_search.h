// Determines which text files in a folder are annotation lists. Internal to src/data.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset/annotation_list.h"
#include "data/dataset/dataset.h"
#include "data/dataset/split_names.h"

namespace laban {

struct FoundList {
  std::filesystem::path file{};
  AnnotationList list{};
  std::optional<SplitWord> word{};  // in its name
  std::optional<Split> split{};     // what that means beside the other lists
};

/// Examines the text files in a dataset's folder, and in its `annotations` and `splits`: which of them are
/// lists whose clips exist. A list with a bad row is never skipped, because the remaining files would then be
/// taken for the whole dataset (a test list, or class folders with other classes). FileError, with the line,
/// for a file that is not a valid list but
///   - is named like one (train, val, test, list, annotations) and has a row with an existing clip, or
///   - at least half of its rows are valid list rows with existing clips.
/// Files of class names (classInd.txt, labels.txt) are not examined.
struct ListSearch {
  std::vector<FoundList> lists{};
  std::vector<std::string> not_lists{};  // with the reason
  std::vector<std::string> meant{};      // those of them whose name or contents suggest a list
  std::map<Split, std::string> lost{};   // those of them that are for a split, by name and contents
  std::vector<std::string> unread{};     // what assigns clips to splits in a form that is not read
  bool other_folds = false;

  ListSearch(const std::filesystem::path& root, const DatasetSettings& settings);

 private:
  void look_at(const std::filesystem::path& root, const std::filesystem::path& file,
               const DatasetSettings& settings);
  void set_aside(const std::filesystem::path& root, const std::filesystem::path& file, const std::string& why,
                 bool looks_like_list);
};

/// Whether a file that laban cannot read assigns the clips below `root` to splits, judging by its name and its
/// contents, whatever its format: it is called train, val or test and little else, or it is called so and mentions
/// clips, or it mentions clips and split names.
bool assigns_splits(const std::filesystem::path& root, const std::filesystem::path& file);

/// Whether the file contains class names, judging by its own name: classInd.txt, label_map.txt.
bool names_classes(const std::filesystem::path& file);

}  // namespace laban
