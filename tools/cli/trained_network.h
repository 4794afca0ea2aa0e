// What eval, predict and export share: a network out of a run, a checkpoint, or a file of weights.
#pragma once

#include <memory>
#include <string>

#include "cli/options.h"
#include "models/network.h"
#include "train/checkpoint.h"
#include "train/evaluate/evaluation.h"

namespace laban::tools {

enum class NetworkUse {
  classify,
  features,  // of whatever lies below the last layer, which weights need not have
  weights,   // are only looked at: no GPU is needed, whatever the run was made on
};

/// Which network a command works with, as its flags say: one of the first three.
struct NetworkSource {
  std::string run, checkpoint, weights, class_names;
  ConfigFlags flags;

  /// The flags --run, --checkpoint, --weights and --class-names, and those of settings that make sense for a
  /// network that has been trained.
  void add_to(Command& command, NetworkUse use);
};

/// A trained network, ready to classify.
struct TrainedNetwork {
  TrainedNetwork(CheckpointInfo info, std::string file);
  ~TrainedNetwork();
  TrainedNetwork(TrainedNetwork&&) noexcept;

  CheckpointInfo info;  // its config has the command's flags applied; of weights, config and classes alone
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Network> network;
  std::string file;  // where it came from
  // Of weights nobody may have said: then info.classes are numbers, and the clip settings only the defaults.
  bool classes_named = true, clips_known = true;
  bool clips_changed = false;  // flags made other clips than a checkpoint's network was trained on
};

/// --views and --crops.
void add_view_flags(Views& views, Command& command);

/// Loads a network. With a checkpoint the flags may change where and how clips are computed and what clips are, never
/// the model; with weights they say what the file does not note by itself. What clips are is told on stderr where
/// flags change it or nobody knows it. Throws FileError, UsageError.
TrainedNetwork load_network(const NetworkSource& source, NetworkUse use);

}  // namespace laban::tools
