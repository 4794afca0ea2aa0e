// What an operation graph of cuDNN computes, on the CPU.
#pragma once

#include <cudnn_graph.h>

#include <cstddef>
#include <map>
#include <memory>
#include <vector>

namespace laban::standin {

/// What a descriptor was made of.
struct Node {
  static constexpr int kFrom = -1;  // of an engine's configuration: the heuristics that it came from

  cudnnBackendDescriptorType_t type;
  std::map<int, std::vector<std::byte>> values;  // by attribute
  std::map<int, std::vector<std::shared_ptr<Node>>> children;
  bool unloaded = false;  // a plan whose kernel a driver would have to load
};

/// The graph that a plan is for.
std::shared_ptr<const Node> graph_of(const Node& plan);

/// Puts it on the stream, with the memory that the variant pack binds. Throws Error where a tensor or the
/// workspace is not all in one allocation of the GPU.
void run_graph(std::shared_ptr<const Node> graph, const Node& pack, size_t workspace_bytes,
               cudaStream_t stream);

}  // namespace laban::standin
