#include "data/dataset/csv.h"

#include <algorithm>

#include "core/error.h"
#include "core/files.h"

namespace laban {
namespace {

/// Reads one record of `all`, starting at `at`; counts the lines it spans.
std::vector<std::string> take_record(const std::filesystem::path& file, std::string_view all, char separator,
                                     size_t& at, int& line) {
  const int first_line = line;
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (; at < all.size(); ++at) {
    const char c = all[at];
    if (c == '\n') ++line;
    if (quoted) {
      if (c != '"')
        cells.back() += c;
      else if (at + 1 < all.size() && all[at + 1] == '"')
        cells.back() += all[++at];
      else
        quoted = false;
    } else if (c == '"' && cells.back().empty()) {
      quoted = true;
    } else if (c == separator) {
      cells.emplace_back();
    } else if (c == '\n') {
      ++at;
      break;
    } else if (c != '\r') {
      cells.back() += c;
    }
  }
  if (quoted)
    throw FileError(text(file.string(), ", line ", first_line), "an opening quote is never closed",
                    "Close it with \".");
  return cells;
}

/// A line that begins with # may be a row after all: a clip may be called so.
void add_commented(Csv& csv, std::string_view comment, char separator, int line) {
  if (csv.columns.empty()) return;
  try {
    size_t at = 0;
    int lines = line;
    std::vector<std::string> cells = take_record(csv.file, comment, separator, at, lines);
    if (cells.size() == csv.columns.size()) csv.rows.push_back({line, std::move(cells), true});
  } catch (const FileError&) {  // an unclosed quote: a sentence
  }
}

}  // namespace

std::optional<size_t> Csv::column(std::string_view name) const {
  const auto at = std::ranges::find(columns, name);
  if (at == columns.end()) return std::nullopt;
  return static_cast<size_t>(at - columns.begin());
}

size_t Csv::require_column(std::string_view name) const {
  if (const std::optional<size_t> at = column(name)) return *at;
  throw FileError(file.string(), "there is no column \"" + std::string(name) + "\"",
                  "The first line must name the columns, separated by commas.");
}

Csv parse_csv(std::string_view all, const std::filesystem::path& file, char separator) {
  Csv csv{.file = file};
  size_t at = 0;
  for (int line = 1; at < all.size();) {
    if (all[at] == '#') {
      const std::string_view comment = all.substr(at, all.find('\n', at) - at);
      at = std::min(at + comment.size(), all.size() - 1) + 1;
      add_commented(csv, comment, separator, line++);
      continue;
    }
    const int here = line;
    std::vector<std::string> cells = take_record(file, all, separator, at, line);
    if (cells.size() == 1 && cells[0].empty()) continue;
    if (csv.columns.empty()) {
      csv.columns = std::move(cells);
      continue;
    }
    if (cells.size() != csv.columns.size())
      throw FileError(text(file.string(), ", line ", here),
                      text("there are ", cells.size(), " cells for ", csv.columns.size(), " columns"),
                      "Quote cells that contain commas.");
    csv.rows.push_back({here, std::move(cells)});
  }
  if (csv.columns.empty())
    throw FileError(file.string(), "the file is empty", "The first line must name the columns.");
  return csv;
}

Csv read_csv(const std::filesystem::path& file) {
  const std::string all = read_file(file);
  std::string_view rest = all;
  if (rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);  // a byte order mark
  return parse_csv(rest, file);
}

std::string csv_cell(std::string_view cell) {
  if (cell.find_first_of(",\"\r\n#") == std::string_view::npos) return std::string(cell);
  std::string quoted = "\"";
  for (const char c : cell) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace laban
