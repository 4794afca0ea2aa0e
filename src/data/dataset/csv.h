// Comma-separated values with a header line (RFC 4180: quoted cells may contain commas, quotes and line
// breaks).
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace laban {

struct Csv {
  struct Row {
    int line = 0;                    // in the file, from 1
    std::vector<std::string> cells;  // as many as columns
    bool commented = false;          // it begins with #: a row only if its path is that of a file
  };
  std::filesystem::path file{};
  std::vector<std::string> columns{};
  std::vector<Row> rows{};

  std::optional<size_t> column(std::string_view name) const;
  /// FileError if there is no such column.
  size_t require_column(std::string_view name) const;
};

/// FileError, with the line, if the file is not valid: unreadable, no header, wrong number of cells, an
/// unclosed quote. Lines that begin with # (outside quotes) are skipped; those behind the header that have as many
/// cells as there are columns are kept as `commented`.
Csv read_csv(const std::filesystem::path& file);
/// The same for a text; `file` is its name in errors.
Csv parse_csv(std::string_view all, const std::filesystem::path& file, char separator = ',');
/// The cell as written in a row: quoted if necessary.
std::string csv_cell(std::string_view cell);

}  // namespace laban
