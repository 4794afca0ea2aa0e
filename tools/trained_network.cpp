#include "trained_network.h"

namespace laban::tools {

TrainedNetwork load_network(const std::string& checkpoint, const ConfigFlags& flags) {
  const Checkpoint file(checkpoint);
  TrainedNetwork trained{file.info(), nullptr, nullptr};
  Config& config = trained.info.config;
  config.machine.threads = config.data.workers = 0;  // of this machine, not of the one that trained
  flags.apply(config);
  choose_threads(config);
  resolve(config);
  trained.backend = make_backend(config);
  trained.network =
      std::make_unique<Network>(*trained.backend, compute_type(config),
                                model_spec(config, static_cast<int64_t>(trained.info.classes.size())));
  file.load_weights(trained.network->store());
  return trained;
}

void add_network_flags(ConfigFlags& flags, CLI::App& command) {
  flags.add_to(command,
               {"single-frame", "batch", "on-bad-file", "workers", "device", "precision", "threads"});
}

}  // namespace laban::tools
