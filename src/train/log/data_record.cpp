#include "train/log/data_record.h"

#include "core/error.h"
#include "core/files.h"
#include "train/log/json_fields.h"

namespace laban {
using namespace fields;

int64_t DataRecord::left_out() const {
  int64_t sum = 0;
  for (const Part& part : parts) sum += static_cast<int64_t>(part.left_out.size());
  return sum;
}

DataRecord::Part part_of(const Dataset& dataset, Split split, const BatchSource& loader) {
  return {.split = kSplitNames[static_cast<size_t>(split)],
          .listed = static_cast<int64_t>(dataset.of(split).size()),
          .left_out = loader.bad_files()};
}

std::string to_json(const DataRecord& record) {
  Json parts = Json::array();
  for (const DataRecord::Part& part : record.parts) {
    parts.push_back({{"split", part.split},
                     {"listed", part.listed},
                     {"used", part.listed - static_cast<int64_t>(part.left_out.size())},
                     {"left_out", bad_files(part.left_out)}});
  }
  const Json document{
      {"data", record.data}, {"layout", record.layout}, {"on_bad_file", record.policy}, {"splits", parts}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::optional<DataRecord> read_data_record(const std::filesystem::path& file) {
  std::error_code failed;
  if (!std::filesystem::exists(file, failed)) return std::nullopt;
  const Json document = parse(read_file(file));
  if (!document.is_object() || !document.contains("splits") || !document["splits"].is_array())
    throw FileError(file.string(), "is not a run's record of its data", "`laban train` writes it.");
  DataRecord record{.data = word(document, "data"),
                    .layout = word(document, "layout"),
                    .policy = word(document, "on_bad_file")};
  for (const Json& from : document["splits"]) {
    if (!from.is_object()) continue;
    DataRecord::Part part{.split = word(from, "split")};
    if (from.contains("listed") && from["listed"].is_number_integer())
      part.listed = from["listed"].get<int64_t>();
    part.left_out = bad_files(from, "left_out");
    record.parts.push_back(std::move(part));
  }
  return record;
}

}  // namespace laban
