// Convolutions as cuDNN operation graphs, and how a graph becomes something that runs:
//
//   ConvProblem  which convolution, in which arithmetic: plain numbers
//   ConvGraph    the same in cuDNN's terms: tensors, a convolution, what is fused to it
//   engines()    the engine configurations that cuDNN's heuristics offer for a card, best first
//   Plan         one of them made ready for the card
//
// All of it but running a plan works without a card: what cuDNN must know of one comes from DeviceProperties,
// which can be read from text.
#pragma once

#include <compare>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/conv_geometry.h"
#include "cuda/conv/cudnn_descriptor.h"
#include "cuda/math_mode.h"

namespace laban::cuda {

/// The card that cuDNN plans for: one of this machine, by a handle that works on it, or one that is only
/// described.
class DeviceProperties {
 public:
  /// `handle` must outlive what is planned with it. `name`: of the card, for messages.
  static DeviceProperties of_handle(cudnnHandle_t handle, std::string name);
  /// As cuDNN writes them (CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION); `json` must name the device.
  static DeviceProperties from_json(std::string_view json);

  /// "NVIDIA H200"
  const std::string& name() const { return name_; }
  /// Tells a graph or a plan: a handle under the one attribute, a description under the other.
  void tell(Descriptor& descriptor, std::optional<cudnnBackendAttributeName_t> handle_name,
            std::optional<cudnnBackendAttributeName_t> description_name) const;

 private:
  DeviceProperties(std::string name, cudnnHandle_t handle, std::optional<Descriptor> description)
      : name_(std::move(name)), handle_(handle), description_(std::move(description)) {}

  std::string name_;
  cudnnHandle_t handle_;  // null: described
  std::optional<Descriptor> description_;
};

enum class ConvPass : uint8_t { forward, data, weights };

std::string_view name_of(ConvPass pass);

/// What the same kernel does with a convolution's result.
enum class ConvEpilogue : uint8_t {
  none,
  accumulate,  // weights: added to dw, in f32. For bf16 a fused addition: cuDNN has no other way to an f32
               // dw. data: added to dx
  statistics,  // forward: sums over all places of y and of its squares, by channel, in f32
};

struct ConvProblem {
  ConvPass pass = ConvPass::forward;
  ConvGeometry geometry;  // 2-D where it is planar: fold it first
  MathMode math = MathMode::f32;
  ConvEpilogue epilogue = ConvEpilogue::none;
  bool deterministic = true;  // the same bits in every run

  friend bool operator==(const ConvProblem&, const ConvProblem&) = default;
  friend bool operator<(const ConvProblem& a, const ConvProblem& b) { return a.key() < b.key(); }
  std::array<int64_t, 23> key() const;
};
/// "weights 8x16x56x56x64 -> 8x8x28x28x128, 3x3x3 s2x2x2 p1x1x1, bf16, accumulate, deterministic": for
/// errors, and the key in a plan file.
std::ostream& operator<<(std::ostream& out, const ConvProblem& problem);

/// The tensors of a graph, as a plan's bindings name them. For ConvPass::data, x is dx and y is dy; for
/// weights, w is dw and y is dy.
enum TensorId : int64_t {
  kX = 1,
  kW,
  kY,
  kSums,
  kSquareSums,
  kProduct,  // weights, bf16, accumulated: the gradient of this batch alone; never in memory
  kBefore,   // and dw before the addition: bind it to the same memory as kW
  kSquares,  // statistics: never in memory
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
  quick,     // what cuDNN's model of the card thinks best; only where that is nothing, what works at all
  thorough,  // everything it knows, to be timed: ten times as slow to ask for
};
/// What the heuristics offer and `allowed` lets through, best first, those with tensor cores before the
/// others where the arithmetic has any. May be empty.
std::vector<EngineConfig> engines(const ConvGraph& graph, const DeviceProperties& device, Search search);
/// One that was chosen before; nothing where this cuDNN does not know it for this graph.
std::optional<EngineConfig> engine(const ConvGraph& graph, const DeviceProperties& device,
                                   const EngineChoice& choice);

struct Binding {
  TensorId tensor;
  void* data;  // 16-byte aligned
};

class Plan {
 public:
  /// Nothing where the engine cannot do it after all; `why`, where given, then says what cuDNN said.
  static std::optional<Plan> make(EngineConfig config, const DeviceProperties& device,
                                  std::string* why = nullptr);

  size_t workspace_bytes() const { return workspace_bytes_; }
  const EngineChoice& choice() const { return config_.choice; }
  const EngineNotes& notes() const { return config_.notes; }

  /// Puts the work on the handle's stream. `workspace`: workspace_bytes(), 16-byte aligned.
  void run(cudnnHandle_t handle, std::span<const Binding> tensors, void* workspace,
           const ConvProblem& problem) const;

 private:
  Plan(EngineConfig config, Descriptor plan, size_t workspace_bytes)
      : config_(std::move(config)), plan_(std::move(plan)), workspace_bytes_(workspace_bytes) {}

  EngineConfig config_;  // the plan may refer to it
  Descriptor plan_;
  size_t workspace_bytes_;
};

}  // namespace laban::cuda
