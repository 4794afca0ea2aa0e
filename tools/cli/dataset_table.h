// A dataset's classes and splits as a table for people.
#pragma once

#include <string>

#include "data/dataset/dataset.h"

namespace laban::tools {

/// A row a class, a column a split, with sums; and how many sources (groups) each class has.
std::string class_table(const Dataset& dataset);

/// A line that tells how many files are no clips, with the first of them; empty if there are none.
std::string ignored_line(const Dataset& dataset);

}  // namespace laban::tools
