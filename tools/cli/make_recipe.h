// Making a recipe (train/recipe/recipe.h): looking at the data, trying steps, making the cache; and telling of it.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "core/backend.h"
#include "data/dataset/dataset.h"
#include "train/recipe/recipe.h"
#include "train/run_folder.h"

namespace laban::tools {

struct RecipeRequest {
  GivenSettings given;
  std::chrono::steady_clock::time_point begun;  // of the command
  bool minutes_given = false;
  /// Only plan: nothing is written, and the cache is estimated.
  bool plan = false;
};

/// Decides what `config` leaves open, and makes the cache in the run's folder where it pays: `clips` is then that copy.
/// Throws Canceled when interrupted, FileError for a cache that was asked for and cannot be made.
Recipe make_recipe(Config& config, const Dataset& dataset, const RunFolder& folder, Backend& backend,
                   const RecipeRequest& request, std::optional<Dataset>& clips);

/// The run's shrunken copy of a dataset, as config.recipe says; made, completed or verified. Throws Canceled when
/// interrupted, FileError for a full disk or a clip that cannot be read.
Dataset open_run_cache(const Config& config, const Dataset& dataset, const RunFolder& folder);

/// config.toml of a run: the settings, below what the recipe says of them.
std::string config_text(const Config& config, const std::optional<Recipe>& recipe);

/// On stderr: a heading, a line a decision, notes.
void print_recipe(const Recipe& recipe);

}  // namespace laban::tools
