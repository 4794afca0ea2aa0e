#include "cuda/conv/cudnn_engines.h"

#include <algorithm>

namespace laban::cuda {
namespace {

EngineNotes notes_of(const Descriptor& engine) {
  EngineNotes notes;
  for (const auto note : engine.get_all<cudnnBackendNumericalNote_t>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                                                     CUDNN_NUMERICAL_NOTE_TYPE_COUNT)) {
    notes.tensor_cores |= note == CUDNN_NUMERICAL_NOTE_TENSOR_CORE;
    notes.rounds_inputs |= note == CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS;
    notes.rounds_sums |= note == CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION;
    notes.nondeterministic |= note == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC;
  }
  for (const auto note : engine.get_all<cudnnBackendBehaviorNote_t>(CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE,
                                                                    CUDNN_BEHAVIOR_NOTE_TYPE_COUNT))
    notes.compiled |= note == CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION;
  return notes;
}

EngineConfig described(Descriptor config) {
  const std::vector<Descriptor> engine =
      config.get_descriptors(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR, 1);
  EngineChoice choice{engine.at(0).get<int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX), {}};
  for (const Descriptor& knob : config.get_descriptors(
           CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, CUDNN_KNOB_TYPE_COUNTS))
    choice.knobs.emplace_back(knob.get<cudnnBackendKnobType_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE),
                              knob.get<int64_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE));
  return {std::move(config), std::move(choice), notes_of(engine.at(0))};
}

/// More than one operation: the convolution does not add by itself.
bool is_fused(const ConvProblem& problem) {
  return problem.epilogue == ConvEpilogue::accumulate && !adds_by_itself(problem);
}

}  // namespace

bool allowed(const ConvProblem& problem, const EngineNotes& notes) {
  if (notes.rounds_inputs || notes.rounds_sums) return false;
  if (problem.deterministic && notes.nondeterministic) return false;
  // Some of the kernels that are compiled at run time add up in another order each time, and no note says
  // which. A fused graph has no others.
  if (problem.deterministic && notes.compiled && !is_fused(problem)) return false;
  // With f32 tensors, tensor cores multiply in TF32; cuDNN tells by this note alone.
  return problem.math != MathMode::f32 || !notes.tensor_cores;
}

std::vector<EngineConfig> engines(const ConvGraph& graph, const DeviceProperties& device, Search search) {
  constexpr int64_t kMost = 256;
  std::vector<EngineConfig> found;
  for (const auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_B, CUDNN_HEUR_MODE_FALLBACK}) {
    if (search == Search::quick && !found.empty()) break;
    Descriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph.descriptor())
        .set(CUDNN_ATTR_ENGINEHEUR_MODE, mode);
    device.tell(heuristics, std::nullopt, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP);
    if (heuristics.try_finalize() != CUDNN_STATUS_SUCCESS) continue;  // this mode has nothing to say
    for (Descriptor& config : heuristics.get_descriptors(CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                                         CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, kMost)) {
      EngineConfig candidate = described(std::move(config));
      const bool known = std::any_of(found.begin(), found.end(), [&](const EngineConfig& other) {
        return other.choice == candidate.choice;
      });
      if (!known && allowed(graph.problem(), candidate.notes)) found.push_back(std::move(candidate));
    }
  }
  // For some small convolutions cuDNN's model of the GPU puts a kernel without tensor cores first.
  if (graph.problem().math != MathMode::f32)
    std::stable_partition(found.begin(), found.end(),
                          [](const EngineConfig& config) { return config.notes.tensor_cores; });
  return found;
}

std::optional<EngineConfig> engine(const ConvGraph& graph, const DeviceProperties& device,
                                   const EngineChoice& choice) {
  Descriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  engine.set(CUDNN_ATTR_ENGINE_OPERATION_GRAPH, graph.descriptor())
      .set(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, choice.engine);
  device.tell(engine, std::nullopt, CUDNN_ATTR_ENGINE_DEVICEPROP);
  if (engine.try_finalize() != CUDNN_STATUS_SUCCESS) return std::nullopt;
  std::vector<Descriptor> knobs;
  for (const auto& [type, value] : choice.knobs) {
    Descriptor& knob = knobs.emplace_back(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR);
    knob.set(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, static_cast<cudnnBackendKnobType_t>(type))
        .set(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, value);
    if (knob.try_finalize() != CUDNN_STATUS_SUCCESS) return std::nullopt;
  }
  Descriptor config(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
  config.set(CUDNN_ATTR_ENGINECFG_ENGINE, engine);
  if (!knobs.empty()) config.set(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, std::span<const Descriptor>(knobs));
  if (config.try_finalize() != CUDNN_STATUS_SUCCESS) return std::nullopt;
  EngineNotes notes = notes_of(engine);
  if (!allowed(graph.problem(), notes)) return std::nullopt;
  return EngineConfig{std::move(config), choice, notes};
}

}  // namespace laban::cuda
