// A run's data: the number of clips in each split, and the files that were left out. Stored in the run's
// folder as data.json, so that results document the data they are based on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/load/loader.h"

namespace laban {

struct DataRecord {
  struct Part {
    std::string split{};
    int64_t listed = 0;  // clips in this split of the dataset
    std::vector<BadFile> left_out{};
  };
  std::string data{}, layout{};
  std::string policy{};  // "stop" or "exclude"
  std::vector<Part> parts{};

  int64_t left_out() const;
};

/// The part of a split that a loader delivers, and what it left out.
DataRecord::Part part_of(const Dataset& dataset, Split split, const BatchSource& loader);

std::string to_json(const DataRecord& record);
/// Empty if there is no such file. Throws FileError if it is not one of laban's.
std::optional<DataRecord> read_data_record(const std::filesystem::path& file);

}  // namespace laban
