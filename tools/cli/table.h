// Aligned tables for people.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace laban::tools {

class Table {
 public:
  /// `alignment`: one letter a column, 'l' or 'r'.
  Table(std::vector<std::string> head, std::string alignment);
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  /// A line across.
  void rule() { rows_.push_back({}); }
  std::string str() const;

 private:
  std::vector<std::string> head_;
  std::string alignment_;
  std::vector<std::vector<std::string>> rows_;
};

/// 31505325 -> "31,505,325"
std::string grouped(int64_t number);
/// printf with one double: fixed(40.5187, 3) -> "40.519".
std::string fixed(double number, int digits);
/// "1.3e-09"
std::string scientific(double number);
/// 252016640 -> "240.3 MiB"
std::string mebibytes(double bytes);

}  // namespace laban::tools
