// What eval and predict share: a network out of a checkpoint.
#pragma once

#include <memory>
#include <string>

#include "models/network.h"
#include "options.h"
#include "train/checkpoint.h"

namespace laban::tools {

/// A trained network, ready to classify.
struct TrainedNetwork {
  CheckpointInfo info;  // its config has the command's flags applied
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Network> network;
};

/// Loads a checkpoint. The flags may change where and how clips are computed, never the model. Throws
/// FileError, UsageError.
TrainedNetwork load_network(const std::string& checkpoint, const ConfigFlags& flags);

/// The flags of settings that make sense for a network that has been trained.
void add_network_flags(ConfigFlags& flags, CLI::App& command);

}  // namespace laban::tools
