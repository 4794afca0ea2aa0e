// What laban notes about a network beside its weights, so that nobody has to say it again.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cli/options.h"
#include "train/config/config.h"
#include "weights/state_dict.h"

namespace laban::tools {

/// Metadata for a file of weights: settings of the model and, with `clips`, of what it sees, by their keys
/// ("norm_eps": "0.001").
std::map<std::string, std::string> noted_settings(const Config& config, bool clips);

/// What a file told.
struct Notes {
  bool model = false, clips = false;
};
/// Sets what an exported file's metadata (or a checkpoint's config) says, but for `given` flags, and tells on
/// stderr what differs from the defaults. Files of other programs say nothing. Throws FileError for notes
/// that cannot be; the flag of that name overrules them.
Notes apply_notes(Config& config, const StateDict& state, const std::vector<std::string>& given);

}  // namespace laban::tools
