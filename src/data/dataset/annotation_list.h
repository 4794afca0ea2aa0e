// The lists that video toolkits write: one clip a line.
//
//   PATH LABEL                  a whole video, or a whole folder of pictures
//   PATH NUM_FRAMES LABEL       its first NUM_FRAMES frames
//   PATH START END LABEL        its frames START to END, both included
//
// separated by spaces, tabs or commas; or comma-separated with a header line that names the columns (path,
// label, and perhaps num_frames, start, end, split, group). Blank lines, and lines that begin with #, say
// nothing. A path may be put between quotes ("..." with "" for a quote inside, or '...').
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "data/dataset/filename_pattern.h"

namespace laban {

struct AnnotationRow {
  int line = 0;  // of the file, from 1
  std::string path{}, label{};
  std::optional<FrameRange> range{};
  std::string split{}, group{};  // empty where the list has no such column
};

struct AnnotationList {
  std::filesystem::path file{};
  std::vector<AnnotationRow> rows{};
  bool has_split = false;
};

/// FileError, with the line, for a file that is no such list, and for rows with several labels: laban puts
/// every clip into one class.
AnnotationList read_annotation_list(const std::filesystem::path& file);

/// The same, of a text. `file` names it in errors.
AnnotationList parse_annotation_list(const std::string& text, const std::filesystem::path& file);

/// A list's text, without a byte order mark. FileError where it cannot be read.
std::string read_list_text(const std::filesystem::path& file);

/// A row of a text that may be a list, looked at by itself.
struct GuessedRow {
  std::vector<std::string> paths{};  // what may be its path, the likeliest first
  bool understood = false;           // it has a path, that one, and a label
};
/// Every row that says something, whatever is wrong with it: to tell a list with a bad row from a text that
/// is none.
std::vector<GuessedRow> guess_rows(const std::string& text);

/// Is the label evidently several, "tango;waltz", seeing the other labels of the dataset? Where all that
/// stands between , ; or | are labels by themselves; between ; or | one is enough.
bool names_several(const std::string& label, const std::set<std::string>& labels);

/// FileError for a clip of several labels: laban puts every clip into one class. `row` is shown.
[[noreturn]] void refuse_labels(const std::string& where, const std::string& row);

}  // namespace laban
