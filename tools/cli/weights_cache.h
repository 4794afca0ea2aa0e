// Public files of weights on this machine: a folder of the user's cache, filled by `laban weights get`.
#pragma once

#include <filesystem>
#include <string>

#include "weights/public_weights.h"

namespace laban::tools {

/// $LABAN_WEIGHTS, else laban/weights in $XDG_CACHE_HOME or ~/.cache. Throws UsageError where none of these is set.
std::filesystem::path weights_folder();

/// What is to be downloaded, and what is known of it.
struct WantedFile {
  std::string name;     // for messages
  std::string address;  // http or https
  std::string file;     // its name in the folder
  std::string sha256;   // all its digits or the first; empty: not published
  const PublicWeights* weights = nullptr;
};
/// Downloads to `folder` what is not there yet, with a progress bar, and returns its path. An interrupted download is
/// continued. What came is kept only if it is a file of weights with that SHA-256 (and fits, where `weights` says what
/// it must fit). Throws Error.
std::filesystem::path get_weights(const WantedFile& wanted, const std::filesystem::path& folder);
/// A public file as published.
WantedFile published(const PublicWeights& weights);

/// Advice for a name that no public weights have: "Did you mean torchvision/r3d_18? `laban weights list` has them all."
std::string did_you_mean_weights(const std::string& name);

/// The file that a --weights names: a path, or the name of public weights ("torchvision/r3d_18"), which are downloaded
/// if they are not in the folder. Throws Error.
std::string weights_file(const std::string& given);

}  // namespace laban::tools
