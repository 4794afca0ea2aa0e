// Pooled features: the input of a network's last layer for each clip. Once they are computed, that layer can
// be trained in seconds, on a CPU.
//
// In a file they are a safetensors file: "features" (clips x channels, f32), "labels" (I64), and as metadata
//   format    "laban.features.2"                    version  laban's
//   names     a JSON list: the clips by their names in the dataset
//   contents  a JSON list: identifies each clip's contents (feature_content.h), to detect mismatches
//   bad_files a JSON list of [file, reason]: clips that could not be read
//   config    the TOML under which the clips were made
//   backbone  digest of the weights and statistics of all layers but the last (backbone_digest)
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/load/loader.h"
#include "models/network.h"
#include "train/config/config.h"

namespace laban {

struct Features {
  int64_t channels = 0;
  std::vector<std::string> names;     // of the clips
  std::vector<std::string> contents;  // of each clip, from ClipContents
  std::vector<int> labels;            // in the dataset's classes
  std::vector<float> values;          // names.size() x channels
  std::vector<BadFile> bad_files;     // left out
  std::string backbone;               // backbone_digest() of the network that made them
  Config config;
};

/// SHA-256 of the weights and statistics of everything but `fc`, on which the features depend.
std::string backbone_digest(const ParameterStore& store);

/// Features of all clips in one epoch of a loader. Empty if `progress` (clips done, total) returned false.
/// Throws FileError for a file that fails, and Canceled if the loader's stop flag is set.
std::optional<Features> extract_features(Network& network, Loader& loader, const Dataset& dataset,
                                         const std::function<bool(int64_t, int64_t)>& progress);

/// Replaces `path` atomically.
void write_features(const std::filesystem::path& path, const Features& features);
/// Throws FileError if the file is damaged or is something else.
Features read_features(const std::filesystem::path& path);

}  // namespace laban
