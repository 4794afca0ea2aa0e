// What laban notes about a network beside its weights, so that nobody has to say it again.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cli/options.h"
#include "train/config/config.h"
#include "weights/state_dict.h"

namespace laban::tools {

/// Metadata for a file of weights: settings of the model and, with `clips`, of what it sees, by their keys
/// ("norm_eps": "0.001").
std::map<std::string, std::string> noted_settings(const Config& config, bool clips);

/// What a --weights names, under laban's own names for its tensors; how they were read is told on stderr. Throws
/// like weights_file() and StateDict::read().
StateDict read_weights(const std::string& given);

/// What a file told, or what is known of it.
struct Notes {
  bool model = false, clips = false;
};
/// Sets what an exported file's metadata (or a checkpoint's config) says, or what is published of a file that is
/// recognized, but for `given` flags, and tells on stderr what differs from the defaults. Other files of other
/// programs say nothing. Throws FileError for notes that cannot be; the flag of that name overrules them.
Notes apply_notes(Config& config, const StateDict& state, const std::vector<std::string>& given);

/// What a network sees of a video in evaluation, by flag: "size" and "112".
std::vector<std::pair<std::string, std::string>> clip_settings(Config config);
/// Tells on stderr that nobody knows what clips the weights in `file` were trained on, and what is taken.
void tell_unknown_clips(const std::string& file, const Config& config);

}  // namespace laban::tools
