// How fast a network trains on this machine: a few steps on made-up clips.
#pragma once

#include <atomic>

#include "core/backend.h"
#include "train/config/config.h"

namespace laban {

struct TrialResult {
  double clips_per_second = 0;  // by the faster quarter of the steps
  int64_t steps = 0;            // that were timed
  size_t memory = 0;            // bytes: activations, parameters, gradients and the optimizer's state
};

/// Trains the config's network for `classes` classes on noise: one step that plans and is not timed, then steps for
/// about `seconds`, at least one. The network is gone afterwards. Throws Error where the clips do not fit the model.
TrialResult try_steps(Backend& backend, const Config& config, int64_t classes, double seconds,
                      const std::atomic<bool>* stop = nullptr);

}  // namespace laban
