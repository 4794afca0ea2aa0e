// evaluation_<split>.json: `laban eval` writes it, `laban report` reads it.
#pragma once

#include <filesystem>
#include <string>

#include "train/evaluate/evaluation.h"

namespace laban {

std::string to_json(const Evaluation& evaluation);

/// What a file lacks stays kMissing or empty; of predictions the loss and the single views are not kept. Throws
/// FileError where it cannot be read, is no evaluation or contradicts itself.
Evaluation read_evaluation(const std::filesystem::path& file);

}  // namespace laban
