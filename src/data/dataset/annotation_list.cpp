#include "data/dataset/annotation_list.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "core/error.h"
#include "core/files.h"
#include "data/dataset/clip_files.h"
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

/// Between words, where that is not any run of spaces and tabs.
constexpr char kSpaces = ' ';

struct Comment {
  int line = 0;
  std::string text{};
};

/// Splits one row of `all`, starting at `at`, into words. Quotes count only if a word begins with one and
/// ends with the same one before a separator; otherwise they are ordinary characters.
class Cutter {
 public:
  Cutter(const std::string& all, char separator) : all_(all), separator_(separator) {}

  bool at_end() const { return at_ >= all_.size(); }

  Words next() {
    Words words{.line = line_};
    while (!at_end() && all_[at_] != '\n') {
      if (is_space(all_[at_])) {
        ++at_;
        continue;
      }
      if (words.text.empty() && all_[at_] == '#') {
        const size_t end = std::min(all_.find('\n', at_), all_.size());
        comments_.push_back({line_, all_.substr(at_, end - at_)});
        at_ = end;
        break;
      }
      take_word(words);
      if (separator_ != kSpaces) skip_separator();
    }
    if (!at_end()) ++at_, ++line_;
    return words;
  }

  /// Lines that begin with #, so far.
  const std::vector<Comment>& comments() const { return comments_; }

 private:
  bool ends_word(size_t at) const {
    return at >= all_.size() || all_[at] == '\n' || all_[at] == separator_ || is_space(all_[at]);
  }

  void take_word(Words& words) {
    words.begin.push_back(at_);
    std::string word;
    const char quote = all_[at_];
    if ((quote == '"' || quote == '\'') && take_quoted(quote, word)) {
      words.quoted.push_back(true);
    } else {
      const auto ends = [&](char c) {
        return c == '\n' || (separator_ == kSpaces ? is_space(c) : c == separator_);
      };
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

  void skip_separator() {
    while (!at_end() && all_[at_] != separator_ && is_space(all_[at_])) ++at_;
    if (!at_end() && all_[at_] == separator_) ++at_;
  }

  const std::string& all_;
  char separator_;
  std::vector<Comment> comments_;
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
  return range_of({need_number(start, "first frame", 0, where), need_number(end, "last frame", 0, where)},
                  PairMeaning::start_end, where);
}

/// Rows without a header: the label is the last word, preceded by up to two numbers; the rest is the path.
AnnotationRow understand(const Words& words, const std::string& all, char separator,
                         const std::string& where) {
  const size_t n = words.text.size();
  const std::string whole = all.substr(words.begin.front(), words.end.back() - words.begin.front());
  if (n < 2)
    throw FileError(where, text("the row \"", whole, "\" has no label"),
                    "Rows have the form PATH LABEL, PATH NUM_FRAMES LABEL or PATH START END LABEL.");
  size_t first_field = n - 1;
  while (first_field > 1 && !words.quoted[first_field - 1] && whole_number(words.text[first_field - 1]))
    --first_field;
  // Anything quoted, or before a comma, is the whole path.
  if ((words.quoted[0] || separator != kSpaces) && first_field > 1) refuse_labels(where, whole);
  const size_t numbers = n - 1 - first_field;
  if (numbers > 2 || several_labels(words.text.back())) refuse_labels(where, whole);

  AnnotationRow row{.line = words.line, .label = words.text.back()};
  row.path = first_field == 1 ? words.text[0]
                              : all.substr(words.begin[0], words.end[first_field - 1] - words.begin[0]);
  if (numbers == 1) row.range = count_range(words.text[first_field], where);
  if (numbers == 2) {
    row.pair = {need_number(words.text[first_field], "first frame", 0, where),
                need_number(words.text[first_field + 1], "last frame", 0, where)};
    if ((*row.pair)[1] >= (*row.pair)[0]) row.range = range_of(*row.pair, PairMeaning::start_end, where);
  }
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
  std::optional<size_t> path, label, count, first, last, offset, split, group;
};
Columns columns_of(const std::vector<std::string>& header) {
  return {.path = column_called(header, {"path", "clip_path", "video_path", "file_path", "filepath", "file",
                                         "filename", "file_name", "video", "clip"}),
          .label = column_called(header, {"label", "class", "category", "tag", "class_name", "label_name"}),
          .count = column_called(header, {"num_frames", "frames", "count", "total_frames"}),
          .first = column_called(header, {"start", "start_frame", "first"}),
          .last = column_called(header, {"end", "end_frame", "last"}),
          .offset = column_called(header, {"offset", "start_offset"}),
          .split = column_called(header, {"split", "set", "subset"}),
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
    if (row.range && !cell(at.offset).empty()) {
      row.range->first = need_number(cell(at.offset), "offset", 0, where);
      row.offset = true;
    }
    (cells.commented ? list.commented : list.rows).push_back(std::move(row));
  }
  if (list.rows.empty())
    throw FileError(csv.file.string(), "the list contains no clips",
                    "Its first row names the columns; list clips below.");
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

std::vector<std::string> header_cells(const std::string& row, char separator) {
  std::vector<std::string> cells{""};
  for (const char c : row) {
    if (c == separator)
      cells.emplace_back();
    else if (c != '\r' && c != '"')
      cells.back() += c;
  }
  return cells;
}

/// The separator of a header that names the columns; nothing if the row is no such header.
std::optional<char> header_separator(const std::string& row) {
  constexpr std::string_view kSeparators = ",;\t|";
  for (const char separator : kSeparators) {
    const Columns at = columns_of(header_cells(row, separator));
    if (at.path && at.label) return separator;
  }
  return std::nullopt;
}

/// What separates the words of a row without a header. A comma does in a .csv, and where there is no space; a
/// semicolon or a bar where there is no space either, or behind the name of a video: elsewhere they join several
/// labels. A tab does where there are spaces as well, which then belong to names.
char separator_of(const std::string& row, const std::filesystem::path& file) {
  bool quoted = false, space = false, tab = false, comma = false;
  std::optional<char> mark;
  size_t at_mark = 0;
  for (size_t i = 0; i < row.size(); ++i) {
    const char c = row[i];
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    comma = comma || c == ',';
    if (!mark && (c == ';' || c == '|')) mark = c, at_mark = i;
    space = space || c == ' ';
    tab = tab || c == '\t';
  }
  const bool close = !space && !tab;
  if (comma && (close || file.extension() == ".csv")) return ',';
  if (mark) {
    std::string before = row.substr(0, at_mark);
    before.erase(before.find_last_not_of(" \t\"") + 1);
    if (close || is_video_name(before)) return *mark;
  }
  return tab && space ? '\t' : kSpaces;
}

/// For a row under a header: understood if it has a path and a label.
GuessedRow guess_cells(const Words& words, const Columns& at) {
  const auto cell = [&](size_t column) { return column < words.text.size() ? words.text[column] : ""; };
  if (cell(*at.path).empty()) return {};
  return {{cell(*at.path)}, !cell(*at.label).empty()};
}

/// For a row without a header. A path with spaces but without a label looks like a path and its label; if a
/// row is not understood, anything it begins with may be a path.
GuessedRow guess_row(const Words& words, const std::string& all, char separator) {
  const auto up_to = [&](size_t i) {
    return all.substr(words.begin.front(), words.end[i] - words.begin.front());
  };
  try {
    return {{understand(words, all, separator, "").path, up_to(words.text.size() - 1)}, true};
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

FrameRange range_of(const std::array<int64_t, 2>& pair, PairMeaning meaning, const std::string& where) {
  const auto [first, second] = pair;
  if (meaning == PairMeaning::offset_count) {
    if (second < 1)
      throw FileError(
          where, text("the clip is ", second, " frames long"),
          "Four columns are read as PATH OFFSET NUM_FRAMES LABEL here; --list-columns start-end reads "
          "PATH START END LABEL.");
    return {first, second};
  }
  if (second < first)
    throw FileError(
        where, text("the clip ends at frame ", second, ", before it starts at ", first),
        "Four columns are read as PATH START END LABEL; --list-columns offset-count reads PATH OFFSET NUM_FRAMES "
        "LABEL. If the row has several labels, keep one: every clip has exactly one class.");
  return {first, second - first + 1};
}

bool names_columns(const std::string& all) { return header_separator(first_row(all)).has_value(); }

std::vector<GuessedRow> guess_rows(const std::string& all) {
  const std::string first = first_row(all);
  const std::optional<char> headed = header_separator(first);
  const char separator = headed.value_or(separator_of(first, ""));
  const Columns at = columns_of(header_cells(first, separator));
  std::vector<GuessedRow> rows;
  bool header_passed = !headed;
  for (Cutter cutter(all, separator); !cutter.at_end();) {
    const Words words = cutter.next();
    if (words.text.empty()) continue;
    if (header_passed) rows.push_back(headed ? guess_cells(words, at) : guess_row(words, all, separator));
    header_passed = true;
  }
  return rows;
}

AnnotationList parse_annotation_list(const std::string& all, const std::filesystem::path& file) {
  const std::string first = first_row(all);
  if (const auto headed = header_separator(first)) return with_header(parse_csv(all, file, *headed));
  const char separator = separator_of(first, file);
  AnnotationList list{.file = file};
  std::optional<size_t> fields;
  const auto fields_of = [](const AnnotationRow& row) -> size_t { return row.pair ? 3 : row.range ? 2 : 1; };
  Cutter cutter(all, separator);
  while (!cutter.at_end()) {
    const Words words = cutter.next();
    if (words.text.empty()) continue;
    const std::string where = text(file.string(), ", line ", words.line);
    list.rows.push_back(understand(words, all, separator, where));
    const size_t here = fields_of(list.rows.back());
    if (fields && *fields != here)
      throw FileError(
          where,
          text("the row has ", here, " of label, length, start and end; the rows before have ", *fields),
          "All rows of a list must have the same columns, with one label per row.");
    fields = here;
  }
  for (const Comment& comment : cutter.comments()) {
    if (comment.text.size() < 2 || is_space(comment.text[1])) continue;
    const std::string behind = comment.text.substr(1);  // Cutter would skip the line for its #
    Cutter single(behind, separator);
    const Words words = single.next();
    if (words.text.empty()) continue;
    try {
      AnnotationRow row = understand(words, behind, separator, file.string());
      if (fields && fields_of(row) != *fields) continue;
      row.path.insert(0, 1, '#');
      row.line = comment.line;
      list.commented.push_back(std::move(row));
    } catch (const FileError&) {  // a sentence, not a row
    }
  }
  if (list.rows.empty())
    throw FileError(file.string(), "the list contains no clips", "Rows have the form PATH LABEL.");
  return list;
}

std::string read_list_text(const std::filesystem::path& file) {
  std::string all = read_file(file);
  if (all.starts_with("\xef\xbb\xbf")) all.erase(0, 3);  // a byte order mark
  const bool marked = all.starts_with("\xff\xfe") || all.starts_with("\xfe\xff");
  if (marked || all.find('\0') != std::string::npos)
    throw FileError(file.string(),
                    marked ? "is a text in UTF-16" : "is not a text in UTF-8: it contains zero bytes",
                    "Save it as UTF-8, or convert it: iconv -f utf-16 -t utf-8 FILE > NEW.");
  if (all.find('\n') == std::string::npos) std::ranges::replace(all, '\r', '\n');  // of old Macs
  return all;
}

AnnotationList read_annotation_list(const std::filesystem::path& file) {
  return parse_annotation_list(read_list_text(file), file);
}

std::vector<std::string> read_list_paths(const std::filesystem::path& file) {
  const std::string all = read_list_text(file);
  std::vector<std::string> paths;
  try {
    const AnnotationList list = parse_annotation_list(all, file);
    for (const AnnotationRow& row : list.rows) paths.push_back(row.path);
    return paths;
  } catch (const FileError&) {  // without labels, then
  }
  for (size_t at = 0; at < all.size();) {
    const size_t end = std::min(all.find('\n', at), all.size());
    std::string row = all.substr(at, end - at);
    at = end + 1;
    while (!row.empty() && is_space(row.back())) row.pop_back();
    row.erase(0, std::min(row.find_first_not_of(" \t"), row.size()));
    if (row.empty()) continue;
    if (row.size() > 1 && row.front() == '"' && row.back() == '"') row = row.substr(1, row.size() - 2);
    paths.push_back(std::move(row));
  }
  return paths;
}

}  // namespace laban
