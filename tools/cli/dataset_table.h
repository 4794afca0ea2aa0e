// A dataset's classes and splits as a table for people.
#pragma once

#include <string>

#include "data/dataset/dataset.h"

namespace laban::tools {

/// A row a class, a column a split, with sums; and how many sources (groups) each class has.
std::string class_table(const Dataset& dataset);

}  // namespace laban::tools
