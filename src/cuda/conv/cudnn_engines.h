// The engines that cuDNN offers for a convolution.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "cuda/conv/cudnn_graph.h"

namespace laban::cuda {

/// Which kernel, with which settings: all that must be remembered to have the same plan again.
struct EngineChoice {
  int64_t engine = 0;                              // cuDNN's global index
  std::vector<std::pair<int64_t, int64_t>> knobs;  // type, value
  friend bool operator==(const EngineChoice&, const EngineChoice&) = default;
};

/// What cuDNN says of an engine.
struct EngineNotes {
  bool tensor_cores = false;
  bool rounds_inputs = false;     // to a narrower type than the tensors have
  bool rounds_sums = false;       // sums in less than f32
  bool nondeterministic = false;  // other bits in another run
  bool compiled = false;          // at run time, by NVRTC: about a second each
};
/// Whether an engine computes what `problem` asks for.
bool allowed(const ConvProblem& problem, const EngineNotes& notes);

struct EngineConfig {
  Descriptor config;
  EngineChoice choice;
  EngineNotes notes;
};
enum class Search : uint8_t {
  quick,     // what cuDNN's model of the GPU thinks best; only where that is nothing, what works at all
  thorough,  // everything it knows, to be timed: ten times as slow to ask for
};
/// What the heuristics offer and `allowed` lets through, best first, those with tensor cores before the
/// others where the arithmetic has any. May be empty.
std::vector<EngineConfig> engines(const ConvGraph& graph, const DeviceProperties& device, Search search);
/// One that was chosen before; nothing where this cuDNN does not know it for this graph.
std::optional<EngineConfig> engine(const ConvGraph& graph, const DeviceProperties& device,
                                   const EngineChoice& choice);

}  // namespace laban::cuda
