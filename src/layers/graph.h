// What a network computes in evaluation, as a list of plain operations: everything that an exporter to
// another format needs. Layers append themselves to it (Layer::trace), so there is no second description of a
// model that could differ from the one that runs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/window.h"

namespace laban {

struct GraphNode {
  enum class Kind {
    conv,        // weight [, bias]; window
    batch_norm,  // weight, bias, running_mean, running_var; eps
    relu,
    add,              // two inputs
    max_pool,         // window
    global_avg_pool,  // to n x c
    linear,           // weight, bias
    subsample,        // every stride-th element, zeros in additional channels; window.stride, channels
  };
  Kind kind = Kind::relu;
  std::string name;         // of the layer; its parameters are name + ".weight" and so on
  std::vector<int> inputs;  // positions of other nodes in the graph; kGraphInput: the network's input
  Window window = {};
  double eps = 0;
  bool bias = false;
  int64_t channels_in = 0, channels_out = 0;  // subsample
};

/// Topologically sorted: every node comes after its inputs; the last one is the output.
using Graph = std::vector<GraphNode>;
constexpr int kGraphInput = -1;

}  // namespace laban
