#include "data/dataset/annotation_list.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "core/error.h"
#include "core/files.h"
#include "data/dataset/csv.h"

namespace laban {
namespace {

std::optional<int64_t> whole_number(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r'; }

/// A row split into words; `begin` is the position of each in the text, `quoted` whether it was quoted.
struct Words {
  int line = 0;
  std::vector<std::string> text{};
  std::vector<size_t> begin{}, end{};
  std::vector<bool> quoted{};
};

/// Splits one row of `all`, starting at `at`, into words. Quotes count only if a word begins with one and
/// ends with the same one before a separator; otherwise they are ordinary characters.
class Cutter {
 public:
  Cutter(const std::string& all, bool commas) : all_(all), commas_(commas) {}

  bool at_end() const { return at_ >= all_.size(); }

  Words next() {
    Words words{.line = line_};
    while (!at_end() && all_[at_] != '\n') {
      if (is_space(all_[at_])) {
        ++at_;
        continue;
      }
      if (words.text.empty() && all_[at_] == '#') {
        at_ = std::min(all_.find('\n', at_), all_.size());
        break;
      }
      take_word(words);
      if (commas_) skip_comma();
    }
    if (!at_end()) ++at_, ++line_;
    return words;
  }

 private:
  bool ends_word(size_t at) const {
    return at >= all_.size() || all_[at] == '\n' ||
           (commas_ ? all_[at] == ',' || is_space(all_[at]) : is_space(all_[at]));
  }

  void take_word(Words& words) {
    words.begin.push_back(at_);
    std::string word;
    const char quote = all_[at_];
    if ((quote == '"' || quote == '\'') && take_quoted(quote, word)) {
      words.quoted.push_back(true);
    } else {
      const auto ends = [&](char c) { return c == '\n' || (commas_ ? c == ',' : is_space(c)); };
      while (!at_end() && !ends(all_[at_])) word += all_[at_++];
      while (!word.empty() && is_space(word.back())) word.pop_back();
      words.quoted.push_back(false);
    }
    words.end.push_back(at_);
    words.text.push_back(std::move(word));
  }

  bool take_quoted(char quote, std::string& word) {
    std::string inside;
    int lines = 0;
    for (size_t at = at_ + 1; at < all_.size(); ++at) {
      if (all_[at] == '\n') ++lines;
      if (all_[at] != quote) {
        inside += all_[at];
      } else if (at + 1 < all_.size() && all_[at + 1] == quote) {
        inside += quote, ++at;
      } else if (ends_word(at + 1)) {
        at_ = at + 1, line_ += lines;
        word = std::move(inside);
        return true;
      } else {
        return false;
      }
    }
    return false;
  }

  void skip_comma() {
    while (!at_end() && is_space(all_[at_])) ++at_;
    if (!at_end() && all_[at_] == ',') ++at_;
  }

  const std::string& all_;
  bool commas_;
  size_t at_ = 0;
  int line_ = 1;
};

/// Whether there are two or more numbers instead of one label: "3 17", "3;17".
bool several_labels(const std::string& label) {
  const size_t other = label.find_first_not_of("0123456789 \t,;|");
  return other == std::string::npos && label.find_first_of(" \t,;|") != std::string::npos;
}

int64_t need_number(const std::string& cell, const char* what, int64_t least, const std::string& where) {
  const std::optional<int64_t> number = whole_number(cell);
  if (!number || *number < least || *number > kMostFrameNumber)
    throw FileError(where, text("the ", what, " is \"", cell, "\""),
                    text("It must be an integer of at most 15 digits, and at least ", least, "."));
  return *number;
}

FrameRange count_range(const std::string& count, const std::string& where) {
  const std::optional<int64_t> frames = whole_number(count);
  if (!frames || *frames < 1 || *frames > kMostFrameNumber)
    throw FileError(
        where, text("the clip is ", count, " frames long"),
        "Three columns mean PATH NUM_FRAMES LABEL. If the row has several labels, keep one: every clip has "
        "exactly one class.");
  return {.count = *frames};
}

FrameRange span_range(const std::string& start, const std::string& end, const std::string& where) {
  const int64_t first = need_number(start, "first frame", 0, where),
                last = need_number(end, "last frame", 0, where);
  if (last < first)
    throw FileError(
        where, text("the clip ends at frame ", last, ", before it starts at ", first),
        "Four columns mean PATH START END LABEL. If the row has several labels (PATH NUM_FRAMES LABEL "
        "LABEL), keep one: every clip has exactly one class.");
  return {first, last - first + 1};
}

/// Rows without a header: the label is the last word, preceded by up to two numbers; the rest is the path.
AnnotationRow understand(const Words& words, const std::string& all, bool commas, const std::string& where) {
  const size_t n = words.text.size();
  const std::string whole = all.substr(words.begin.front(), words.end.back() - words.begin.front());
  if (n < 2)
    throw FileError(where, text("the row \"", whole, "\" has no label"),
                    "Rows have the form PATH LABEL, PATH NUM_FRAMES LABEL or PATH START END LABEL.");
  size_t first_field = n - 1;
  while (first_field > 1 && !words.quoted[first_field - 1] && whole_number(words.text[first_field - 1]))
    --first_field;
  // Anything quoted, or before a comma, is the whole path.
  if ((words.quoted[0] || commas) && first_field > 1) refuse_labels(where, whole);
  const size_t numbers = n - 1 - first_field;
  if (numbers > 2 || several_labels(words.text.back())) refuse_labels(where, whole);

  AnnotationRow row{.line = words.line, .label = words.text.back()};
  row.path = first_field == 1 ? words.text[0]
                              : all.substr(words.begin[0], words.end[first_field - 1] - words.begin[0]);
  if (numbers == 1) row.range = count_range(words.text[first_field], where);
  if (numbers == 2) row.range = span_range(words.text[first_field], words.text[first_field + 1], where);
  return row;
}

std::string lower(std::string word) {
  for (char& c : word)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return word;
}

/// The position of the column with one of these names.
std::optional<size_t> column_called(const std::vector<std::string>& header,
                                    std::initializer_list<const char*> names) {
  for (const char* name : names)
    for (size_t i = 0; i < header.size(); ++i)
      if (lower(header[i]) == name) return i;
  return std::nullopt;
}

struct Columns {
  std::optional<size_t> path, label, count, first, last, split, group;
};
Columns columns_of(const std::vector<std::string>& header) {
  return {.path = column_called(header, {"path", "clip_path", "video_path", "file", "filename", "video"}),
          .label = column_called(header, {"label", "class", "category", "tag"}),
          .count = column_called(header, {"num_frames", "frames", "count"}),
          .first = column_called(header, {"start", "start_frame", "first"}),
          .last = column_called(header, {"end", "end_frame", "last"}),
          .split = column_called(header, {"split", "set"}),
          .group = column_called(header, {"group"})};
}

AnnotationList with_header(const Csv& csv) {
  const Columns at = columns_of(csv.columns);
  AnnotationList list{.file = csv.file, .has_split = at.split.has_value()};
  for (const Csv::Row& cells : csv.rows) {
    const std::string where = text(csv.file.string(), ", line ", cells.line);
    const auto cell = [&](std::optional<size_t> column) { return column ? cells.cells[*column] : ""; };
    AnnotationRow row{.line = cells.line,
                      .path = cell(at.path),
                      .label = cell(at.label),
                      .split = cell(at.split),
                      .group = cell(at.group)};
    if (row.path.empty() || row.label.empty())
      throw FileError(where, text("the ", row.path.empty() ? "path" : "label", " is empty"),
                      "Give every clip a path and a label.");
    if (several_labels(row.label)) refuse_labels(where, row.label);
    if (!cell(at.first).empty() && !cell(at.last).empty())
      row.range = span_range(cell(at.first), cell(at.last), where);
    else if (!cell(at.count).empty())
      row.range = count_range(cell(at.count), where);
    list.rows.push_back(std::move(row));
  }
  return list;
}

/// The first line that is not blank or a comment.
std::string first_row(const std::string& all) {
  for (size_t at = 0; at < all.size();) {
    const size_t end = std::min(all.find('\n', at), all.size());
    const size_t first = all.find_first_not_of(" \t\r", at);
    if (first < end && all[first] != '#') return all.substr(first, end - first);
    at = end + 1;
  }
  return "";
}

std::vector<std::string> header_cells(const std::string& row) {
  std::vector<std::string> cells{""};
  for (const char c : row) {
    if (c == ',')
      cells.emplace_back();
    else if (c != '\r' && c != '"')
      cells.back() += c;
  }
  return cells;
}

bool names_columns(const std::string& row) {
  const Columns at = columns_of(header_cells(row));
  return at.path && at.label;
}

/// In a .csv, if there is a comma outside quotes; elsewhere, if there is one and no space.
bool separated_by_commas(const std::string& row, const std::filesystem::path& file) {
  bool quoted = false, comma = false, space = false;
  for (const char c : row) {
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    comma = comma || c == ',';
    space = space || c == ' ' || c == '\t';
  }
  return comma && (!space || file.extension() == ".csv");
}

/// For a row under a header: understood if it has a path and a label.
GuessedRow guess_cells(const Words& words, const Columns& at) {
  const auto cell = [&](size_t column) { return column < words.text.size() ? words.text[column] : ""; };
  if (cell(*at.path).empty()) return {};
  return {{cell(*at.path)}, !cell(*at.label).empty()};
}

/// For a row without a header. A path with spaces but without a label looks like a path and its label; if a
/// row is not understood, anything it begins with may be a path.
GuessedRow guess_row(const Words& words, const std::string& all, bool commas) {
  const auto up_to = [&](size_t i) {
    return all.substr(words.begin.front(), words.end[i] - words.begin.front());
  };
  try {
    return {{understand(words, all, commas, "").path, up_to(words.text.size() - 1)}, true};
  } catch (const FileError&) {
    constexpr size_t kMostWords = 8;
    GuessedRow row{.paths = {words.text.front()}};
    for (size_t i = 1; i < std::min(words.text.size(), kMostWords); ++i) row.paths.push_back(up_to(i));
    return row;
  }
}

}  // namespace

void refuse_labels(const std::string& where, const std::string& row) {
  throw FileError(
      where, text("the clip has several labels: ", row),
      "Every clip has exactly one class. Rows have the form PATH LABEL, PATH NUM_FRAMES LABEL or PATH START "
      "END LABEL; keep one label per row, and quote a path that contains spaces.");
}

bool names_several(const std::string& label, const std::set<std::string>& labels) {
  constexpr const char* kSpaces = " \t";
  size_t parts = 0, known = 0;
  for (size_t at = 0; at <= label.size(); ++parts) {
    const size_t end = std::min(label.find_first_of(",;|", at), label.size());
    std::string part = label.substr(at, end - at);
    part.erase(0, std::min(part.find_first_not_of(kSpaces), part.size()));
    part.erase(part.find_last_not_of(kSpaces) + 1);
    known += labels.contains(part);
    at = end + 1;
  }
  const bool listing = label.find_first_of(";|") != std::string::npos;
  return parts > 1 && (known == parts || (listing && known > 0));
}

std::vector<GuessedRow> guess_rows(const std::string& all) {
  const std::string first = first_row(all);
  const bool headed = names_columns(first);
  const Columns at = columns_of(header_cells(first));
  const bool commas = headed || separated_by_commas(first, "");
  std::vector<GuessedRow> rows;
  bool header_passed = !headed;
  for (Cutter cutter(all, commas); !cutter.at_end();) {
    const Words words = cutter.next();
    if (words.text.empty()) continue;
    if (header_passed) rows.push_back(headed ? guess_cells(words, at) : guess_row(words, all, commas));
    header_passed = true;
  }
  return rows;
}

AnnotationList parse_annotation_list(const std::string& all, const std::filesystem::path& file) {
  const std::string first = first_row(all);
  if (names_columns(first)) return with_header(parse_csv(all, file));
  const bool commas = separated_by_commas(first, file);
  AnnotationList list{.file = file};
  std::optional<size_t> fields;
  for (Cutter cutter(all, commas); !cutter.at_end();) {
    const Words words = cutter.next();
    if (words.text.empty()) continue;
    const std::string where = text(file.string(), ", line ", words.line);
    list.rows.push_back(understand(words, all, commas, where));
    const auto& range = list.rows.back().range;
    const size_t here = !range ? 1 : range->first ? 3 : 2;
    if (fields && *fields != here)
      throw FileError(
          where,
          text("the row has ", here, " of label, length, start and end; the rows before have ", *fields),
          "All rows of a list must have the same columns, with one label per row.");
    fields = here;
  }
  if (list.rows.empty())
    throw FileError(file.string(), "the list contains no clips", "Rows have the form PATH LABEL.");
  return list;
}

std::string read_list_text(const std::filesystem::path& file) {
  std::string all = read_file(file);
  if (all.starts_with("\xef\xbb\xbf")) all.erase(0, 3);  // a byte order mark
  return all;
}

AnnotationList read_annotation_list(const std::filesystem::path& file) {
  return parse_annotation_list(read_list_text(file), file);
}

}  // namespace laban
