// The lists that video toolkits write: one clip per line.
//
//   PATH LABEL                  a whole video, or a whole folder of pictures
//   PATH NUM_FRAMES LABEL       its first NUM_FRAMES frames
//   PATH START END LABEL        its frames START to END, both inclusive
//   PATH OFFSET NUM LABEL       NUM frames after its first OFFSET ones
//
// separated by spaces, tabs, commas, semicolons or vertical bars; or by one of the last four with a header line that
// names the columns (path, label, and optionally num_frames, start, end, offset, split, group). Blank lines are
// skipped, and so are lines that begin with #, unless a clip has that name. A path may be quoted ("..." with "" for
// a quote inside, or '...').
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "data/dataset/filename_pattern.h"

namespace laban {

struct AnnotationRow {
  int line = 0;  // in the file, from 1
  std::string path{}, label{};
  std::optional<FrameRange> range{};
  /// Two numbers before the label, as they stand: START END, as which `range` has them if it can be, or OFFSET NUM.
  std::optional<std::array<int64_t, 2>> pair{};
  bool offset = false;           // range->first counts from the file's first frame, whatever its number
  std::string split{}, group{};  // empty if the list has no such column
};

struct AnnotationList {
  std::filesystem::path file{};
  std::vector<AnnotationRow> rows{};
  std::vector<AnnotationRow> commented{};  // lines that begin with #: rows only if a clip has that name
  bool has_split = false;
};

/// What the two numbers in four columns mean.
enum class PairMeaning { automatic, start_end, offset_count };

/// The range that two numbers mean; FileError(where) for one that there cannot be.
FrameRange range_of(const std::array<int64_t, 2>& pair, PairMeaning meaning, const std::string& where);

/// FileError, with the line, for a file that is not such a list, and for rows with several labels: in laban,
/// every clip has exactly one class.
AnnotationList read_annotation_list(const std::filesystem::path& file);

/// The same for a text; `file` is its name in errors.
AnnotationList parse_annotation_list(const std::string& text, const std::filesystem::path& file);

/// A list's text, without a byte order mark, with \n at the end of lines. FileError if it cannot be read, and for
/// UTF-16 and UTF-32.
std::string read_list_text(const std::filesystem::path& file);

/// Whether a list's first row is a header with a path and a label.
bool names_columns(const std::string& text);

/// A single row of a text that may be a list.
struct GuessedRow {
  std::vector<std::string> paths{};  // candidates for its path, most likely first
  bool understood = false;           // it has exactly this path and a label
};
/// Every row that is not blank or a comment, whatever is wrong with it: to distinguish a list with a bad row
/// from a text that is not a list.
std::vector<GuessedRow> guess_rows(const std::string& text);

/// The paths of a list whose rows need no labels: for prediction. FileError as above.
std::vector<std::string> read_list_paths(const std::filesystem::path& file);

/// Whether the label evidently combines several, "tango;waltz", given the other labels of the dataset: if
/// everything between , ; or | is a label of its own; between ; or | one such label is enough.
bool names_several(const std::string& label, const std::set<std::string>& labels);

/// Throws the FileError for a clip with several labels, showing `row`.
[[noreturn]] void refuse_labels(const std::string& where, const std::string& row);

}  // namespace laban
