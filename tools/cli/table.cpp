#include "cli/table.h"

#include <algorithm>
#include <cstdio>

#include "core/text.h"

namespace laban::tools {
Table::Table(std::vector<std::string> head, std::string alignment)
    : head_(std::move(head)), alignment_(std::move(alignment)) {}

std::string Table::str() const {
  std::vector<size_t> widths;
  for (const std::string& cell : head_) widths.push_back(characters(cell));
  for (const auto& row : rows_)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], characters(row[i]));

  std::string out;
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (size_t i = 0; i < cells.size(); ++i) {
      const std::string space(widths[i] - characters(cells[i]), ' ');
      text += (i ? "  " : "") + (alignment_[i] == 'r' ? space + cells[i] : cells[i] + space);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out += text + '\n';
  };
  const auto rule = [&] {
    size_t total = 2 * (widths.size() - 1);
    for (const size_t width : widths) total += width;
    out += std::string(total, '-') + '\n';
  };
  line(head_);
  rule();
  for (const auto& row : rows_) {
    if (row.empty())
      rule();
    else
      line(row);
  }
  return out;
}

std::string grouped(int64_t number) {
  std::string digits = std::to_string(number);
  for (int64_t at = static_cast<int64_t>(digits.size()) - 3; at > (number < 0); at -= 3)
    digits.insert(static_cast<size_t>(at), 1, ',');
  return digits;
}

std::string fixed(double number, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, number);
  return text;
}

std::string scientific(double number) {
  char text[64];
  std::snprintf(text, sizeof text, "%.1e", number);
  return text;
}

std::string mebibytes(double bytes) { return fixed(bytes / (1 << 20), 1) + " MiB"; }

}  // namespace laban::tools
