// What a run was given to learn from: how many clips of each split, and which files were left out. It lies in
// the run's folder as data.json, so that a result can say what it is a result on.
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
    int64_t listed = 0;  // clips of the dataset in this split
    std::vector<BadFile> left_out{};
  };
  std::string data{}, layout{};
  std::string policy{};  // "stop" or "exclude"
  std::vector<Part> parts{};

  int64_t left_out() const;
};

/// The part of a split that a loader gives, and what it left out.
DataRecord::Part part_of(const Dataset& dataset, Split split, const BatchSource& loader);

std::string to_json(const DataRecord& record);
/// Nothing where there is no such file. Throws FileError where it is none of laban's.
std::optional<DataRecord> read_data_record(const std::filesystem::path& file);

}  // namespace laban
