// Comma-separated values with a header line (RFC 4180: cells in quotes may hold commas, quotes and line
// ends).
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace laban {

struct Csv {
  struct Row {
    int line = 0;                    // of the file, from 1
    std::vector<std::string> cells;  // as many as columns
  };
  std::filesystem::path file{};
  std::vector<std::string> columns{};
  std::vector<Row> rows{};

  std::optional<size_t> column(std::string_view name) const;
  /// FileError where there is no such column.
  size_t require_column(std::string_view name) const;
};

/// FileError, with the line, where the file is none: unreadable, no header, another number of cells, an open
/// quote. Rows that begin with # (outside of quotes) say nothing.
Csv read_csv(const std::filesystem::path& file);
/// The same, of a text. `file` names it in errors.
Csv parse_csv(std::string_view all, const std::filesystem::path& file);
/// The cell as a row holds it: in quotes where it needs them.
std::string csv_cell(std::string_view cell);

}  // namespace laban
