// Opening a dataset as a command's settings say, with clips that look alike in one split.
#pragma once

#include <filesystem>
#include <vector>

#include "data/dataset/dataset.h"
#include "data/scene/sketch.h"
#include "train/config/config.h"

namespace laban::tools {

/// How a command reads a dataset beyond what its config says.
struct OpenHow {
  bool keep_missing = false;  // also without --on-bad-file exclude
  bool use_index = true;
  bool write_sketches = true;
  std::vector<ClipSketch>* sketches = nullptr;  // receives those of all clips if they were made
};

/// open_dataset(); and if splits were drawn, by content, clips that look alike are kept together, which takes a look at
/// every clip, with a progress bar. Notes are left in the dataset. Throws Canceled on Ctrl-C.
Dataset open_data(const Config& config, const std::filesystem::path& path, const OpenHow& how = {});

/// The file that keeps sketches of the dataset's clips, by the config's index_cache; empty: none.
std::filesystem::path sketch_store_of(const Config& config, const Dataset& dataset);

}  // namespace laban::tools
