// Which of the text files in a folder are annotation lists, and which are something else. Inside of src/data
// only.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset/annotation_list.h"
#include "data/dataset/dataset.h"

namespace laban {

struct FoundList {
  std::filesystem::path file{};
  AnnotationList list{};
  std::optional<Split> split{};  // that its name tells
};

/// Looks at the text files of a dataset's folder, and of its `annotations` and `splits`: which of them are
/// lists whose clips are there. A list with a bad row is never passed over, for then what else is there would
/// be taken for all there is (a list for testing as the whole dataset, or class folders with other classes):
/// FileError, with the line, for a file that is no list throughout but
///   - is called one (train, val, test, list, annotations) and a row of it begins with a clip that is there,
///   or
///   - half of whose rows are as a list's, and name clips that are there.
/// Files that name classes (classInd.txt, labels.txt) are not looked at.
struct ListSearch {
  std::vector<FoundList> lists{};
  std::vector<std::string> not_lists{};  // with the reason
  std::vector<std::string> meant{};      // those of them that are called as if they were, or look like it
  std::map<Split, std::string> lost{};   // those that are called as if they were for a split
  bool other_folds = false;

  ListSearch(const std::filesystem::path& root, const DatasetSettings& settings);

 private:
  void look_at(const std::filesystem::path& root, const std::filesystem::path& file,
               const DatasetSettings& settings);
  void set_aside(const std::filesystem::path& file, const std::string& why, bool looks_like_list);
};

/// Does the file name the classes, by its own name: classInd.txt, label_map.txt?
bool names_classes(const std::filesystem::path& file);

}  // namespace laban
