// What commands print about a floor.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "train/floor/floor.h"

namespace laban::tools {

/// A row for each method and split.
std::string floor_table(const Floor& floor);

/// "floor on val: macro-F1 0.544, accuracy 61.3% by logistic regression on motion maps (majority ...)"; empty where the
/// split was not measured.
std::string floor_line(const Floor& floor, const std::string& split, BestBy by);

/// measure_floor() with a progress bar on stderr, stopped by Ctrl-C; prints its notes. Nothing when stopped.
std::optional<Floor> measure_floor_with_progress(const Dataset& dataset, const Config& config);

}  // namespace laban::tools
