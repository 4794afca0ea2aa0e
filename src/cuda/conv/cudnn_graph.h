// Convolutions as cuDNN operation graphs, and how a graph becomes something that runs:
//
//   ConvProblem  which convolution, in which arithmetic: plain numbers          (conv_problem.h)
//   ConvGraph    the same in cuDNN's terms: tensors, a convolution, what is fused to it
//   engines()    the engine configurations that cuDNN's heuristics offer for a GPU, best first
//                                                                               (cudnn_engines.h)
//   Plan         one of them made ready for the GPU                             (cudnn_plan.h)
//
// All of it but running a plan works without a GPU: what cuDNN must know of one comes from DeviceProperties
// (device_properties.h), which can be read from text.
#pragma once

#include "cuda/conv/conv_problem.h"
#include "cuda/conv/device_properties.h"

namespace laban::cuda {

/// The tensors of a graph, as a plan's bindings name them. For ConvPass::data, x is dx and y is dy; for
/// weights, w is dw and y is dy.
enum TensorId : int64_t {
  kX = 1,
  kW,
  kY,
  kProduct,  // weights, bf16, accumulated: the gradient of this batch alone; never in memory
  kBefore,   // and dw before the addition: bind it to the same memory as kW
};

class ConvGraph {
 public:
  /// For plans on `device`. Throws Error where cuDNN refuses the graph itself.
  ConvGraph(const ConvProblem& problem, const DeviceProperties& device);
  const ConvProblem& problem() const { return problem_; }
  const Descriptor& descriptor() const { return graph_; }

 private:
  ConvProblem problem_;
  Descriptor graph_;
};

}  // namespace laban::cuda
