// Fields of JSON that somebody may have touched: what has another type counts as missing (a loss of NaN is written
// as null). For sources only.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/nesting.h"
#include "data/load/loader.h"

namespace laban::fields {

using Json = nlohmann::ordered_json;

/// Discarded (is_discarded(), and no object or array) where the text is no JSON, or nests deeper than any file of
/// laban's.
inline Json parse(std::string_view json) {
  if (nests_deeper_than(json, kDeepestJson)) return Json(Json::value_t::discarded);
  return Json::parse(json, nullptr, /*allow_exceptions=*/false);
}

inline double number(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_number() ? it->get<double>() : std::numeric_limits<double>::quiet_NaN();
}
/// `value` without its fraction; `otherwise` beyond 2^53, where doubles are no counters, and for NaN.
inline int64_t whole(double value, int64_t otherwise) {
  return std::abs(value) <= 9007199254740992.0 ? static_cast<int64_t>(value) : otherwise;
}
inline int64_t integer(const Json& object, const char* key, int64_t otherwise = 0) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_number()) return otherwise;
  return it->is_number_float() ? whole(it->get<double>(), otherwise) : it->get<int64_t>();
}
inline bool flag(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_boolean() && it->get<bool>();
}
inline std::string word(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}
inline const Json& list(const Json& object, const char* key) {
  static const Json none = Json::array();
  const auto it = object.find(key);
  return it != object.end() && it->is_array() ? *it : none;
}
template <class T>
std::vector<T> numbers(const Json& values) {
  std::vector<T> out;
  for (const Json& value : values)
    if constexpr (std::is_integral_v<T>)
      out.push_back(value.is_number_float() ? static_cast<T>(whole(value.get<double>(), 0))
                    : value.is_number()     ? value.get<T>()
                                            : T{});
    else
      out.push_back(value.is_number() ? value.get<T>() : T{});
  return out;
}

/// Files that were left out, with the reason.
inline Json bad_files(const std::vector<BadFile>& files) {
  Json all = Json::array();
  for (const BadFile& bad : files) all.push_back({{"file", bad.file}, {"reason", bad.reason}});
  return all;
}
inline std::vector<BadFile> bad_files(const Json& object, const char* key) {
  std::vector<BadFile> files;
  for (const Json& row : list(object, key))
    if (row.is_object()) files.push_back({word(row, "file"), word(row, "reason")});
  return files;
}

}  // namespace laban::fields
