#include "cuda/conv/cudnn_graph.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace laban::cuda {
namespace {

cudnnDataType_t cudnn_type(DType dtype) {
  require(dtype == DType::f32 || dtype == DType::bf16, "cuDNN convolutions are f32 or bf16");
  return dtype == DType::f32 ? CUDNN_DATA_FLOAT : CUDNN_DATA_BFLOAT16;
}

/// cuDNN's order of dimensions is n, c, (t,) h, w whatever the memory's order; strides tell that.
std::vector<int64_t> dimensions(const Shape& s, bool planar) {
  if (planar) return {s.n, s.c, s.h, s.w};
  return {s.n, s.c, s.t, s.h, s.w};
}
std::vector<int64_t> strides(const Shape& s, bool planar) {
  const int64_t row = s.w * s.c, frame = s.h * row, sample = s.t * frame;
  if (planar) return {sample, 1, row, s.c};
  return {sample, 1, frame, row, s.c};
}
/// Of a window, along (t,) h, w.
std::vector<int64_t> axes(const std::array<int64_t, 3>& values, bool planar) {
  return {values.begin() + (planar ? 1 : 0), values.end()};
}

/// Whether a convolution that accumulates adds by itself, result = product + beta * result: where the result
/// has its operands' type. Not bf16 gradients of weights, which go to f32.
bool adds_by_itself(const ConvProblem& problem) {
  return problem.pass == ConvPass::data || problem.math != MathMode::bf16;
}

/// Makes the descriptors of one graph.
class Builder {
 public:
  Builder(const ConvProblem& problem, const DeviceProperties& device)
      : problem_(problem),
        device_(device),
        geometry_(problem.geometry),
        planar_(is_planar(problem.geometry)) {}

  Descriptor graph() {
    const bool fused_sum = accumulates() && !adds_by_itself(problem_);
    const DType storage = storage_of(problem_.math);
    const Descriptor x = tensor(kX, storage, geometry_.x), y = tensor(kY, storage, geometry_.y);
    const Shape weights{geometry_.y.c, geometry_.x.c, geometry_.window.kernel[0], geometry_.window.kernel[1],
                        geometry_.window.kernel[2]};
    const Descriptor w =
        fused_sum ? tensor(kProduct, DType::f32, weights, true) : tensor(kW, storage, weights);
    operations_.push_back(convolution(x, w, y));
    if (fused_sum) {
      const Descriptor before = tensor(kBefore, DType::f32, weights), sum = tensor(kW, DType::f32, weights);
      operations_.push_back(pointwise(CUDNN_POINTWISE_ADD, w, before, sum));
    }
    if (problem_.epilogue == ConvEpilogue::statistics) {
      const Shape channels = Shape::vector(geometry_.y.c);
      const Descriptor squares = tensor(kSquares, DType::f32, geometry_.y, true);
      operations_.push_back(sum_over_places(y, tensor(kSums, DType::f32, channels)));
      operations_.push_back(pointwise(CUDNN_POINTWISE_MUL, y, y, squares));
      operations_.push_back(sum_over_places(squares, tensor(kSquareSums, DType::f32, channels)));
    }
    Descriptor graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, std::span<const Descriptor>(operations_));
    device_.tell(graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, std::nullopt);
    graph.finalize(text("the graph of ", problem_));
    return graph;
  }

 private:
  bool accumulates() const { return problem_.epilogue == ConvEpilogue::accumulate; }

  Descriptor tensor(TensorId id, DType dtype, const Shape& shape, bool is_virtual = false) const {
    Descriptor d(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    d.set(CUDNN_ATTR_TENSOR_DATA_TYPE, cudnn_type(dtype))
        .set(CUDNN_ATTR_TENSOR_DIMENSIONS, dimensions(shape, planar_))
        .set(CUDNN_ATTR_TENSOR_STRIDES, strides(shape, planar_))
        .set(CUDNN_ATTR_TENSOR_UNIQUE_ID, static_cast<int64_t>(id))
        .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, int64_t{16})
        .set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, is_virtual);
    d.finalize(text("a tensor ", shape, " of ", problem_));
    return d;
  }

  Descriptor convolution(const Descriptor& x, const Descriptor& w, const Descriptor& y) const {
    const Window& window = geometry_.window;
    const std::vector<int64_t> padding = axes(window.padding, planar_);
    Descriptor c(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    c.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT)
        .set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION)
        .set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, static_cast<int64_t>(padding.size()))
        .set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, padding)
        .set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, padding)
        .set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, axes(window.stride, planar_))
        .set(CUDNN_ATTR_CONVOLUTION_DILATIONS, std::vector<int64_t>(padding.size(), 1));
    c.finalize(text("the window of ", problem_));

    const float beta = accumulates() && adds_by_itself(problem_) ? 1.0f : 0.0f;
    const auto operation = [&](cudnnBackendDescriptorType_t type, cudnnBackendAttributeName_t x_name,
                               cudnnBackendAttributeName_t w_name, cudnnBackendAttributeName_t y_name,
                               cudnnBackendAttributeName_t conv_name, cudnnBackendAttributeName_t alpha_name,
                               cudnnBackendAttributeName_t beta_name) {
      Descriptor op(type);
      op.set(x_name, x).set(w_name, w).set(y_name, y).set(conv_name, c);
      op.set(alpha_name, 1.0f).set(beta_name, beta).finalize(text(problem_));
      return op;
    };
    switch (problem_.pass) {
      case ConvPass::forward:
        return operation(
            CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA);
      case ConvPass::data:
        return operation(
            CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA);
      case ConvPass::weights:
        break;
    }
    return operation(
        CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA);
  }

  Descriptor pointwise(cudnnPointwiseMode_t mode, const Descriptor& a, const Descriptor& b,
                       const Descriptor& result) const {
    Descriptor kind(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    kind.set(CUDNN_ATTR_POINTWISE_MODE, mode).set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_FLOAT);
    kind.finalize("a pointwise operation");
    Descriptor op(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    op.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, kind)
        .set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, a)
        .set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b)
        .set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, result);
    op.finalize(text("what is fused to ", problem_));
    return op;
  }

  Descriptor sum_over_places(const Descriptor& values, const Descriptor& sums) const {
    Descriptor kind(CUDNN_BACKEND_REDUCTION_DESCRIPTOR);
    kind.set(CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_REDUCE_TENSOR_ADD)
        .set(CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_DATA_FLOAT);
    // Asked for only where it is wanted: it leaves other engines, and no note tells the atomic ones.
    if (problem_.deterministic) kind.set(CUDNN_ATTR_REDUCTION_IS_DETERMINISTIC, true);
    kind.finalize("a sum");
    Descriptor op(CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR);
    op.set(CUDNN_ATTR_OPERATION_REDUCTION_DESC, kind)
        .set(CUDNN_ATTR_OPERATION_REDUCTION_XDESC, values)
        .set(CUDNN_ATTR_OPERATION_REDUCTION_YDESC, sums);
    op.finalize(text("the statistics of ", problem_));
    return op;
  }

  const ConvProblem& problem_;
  const DeviceProperties& device_;
  const ConvGeometry& geometry_;
  bool planar_;
  std::vector<Descriptor> operations_;
};

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

}  // namespace

DeviceProperties DeviceProperties::of_handle(cudnnHandle_t handle, std::string name) {
  require(handle != nullptr, "DeviceProperties: no handle");
  return {std::move(name), handle, std::nullopt};
}

DeviceProperties DeviceProperties::from_json(std::string_view json) {
  require_sound_cudnn(cudnnGetVersion());
  const nlohmann::json parsed = nlohmann::json::parse(json, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("deviceName") || !parsed["deviceName"].is_string())
    throw Error("the description of a GPU is not JSON with a deviceName",
                "Take one that cuDNN wrote (CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION).");
  Descriptor d(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  d.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, std::span<const char>(json));
  d.finalize("the description of a GPU");
  return {parsed["deviceName"].get<std::string>(), nullptr, std::move(d)};
}

void DeviceProperties::tell(Descriptor& descriptor, std::optional<cudnnBackendAttributeName_t> handle_name,
                            std::optional<cudnnBackendAttributeName_t> description_name) const {
  if (handle_ && handle_name) descriptor.set(*handle_name, handle_);
  if (!handle_ && description_name) descriptor.set(*description_name, *description_);
}

std::string_view name_of(ConvPass pass) {
  switch (pass) {
    case ConvPass::forward:
      return "forward";
    case ConvPass::data:
      return "data";
    case ConvPass::weights:
      break;
  }
  return "weights";
}

std::array<int64_t, 23> ConvProblem::key() const {
  std::array<int64_t, 23> all{static_cast<int64_t>(pass), static_cast<int64_t>(math),
                              static_cast<int64_t>(epilogue), deterministic};
  const auto numbers = geometry.key();
  std::copy(numbers.begin(), numbers.end(), all.begin() + 4);
  return all;
}

std::ostream& operator<<(std::ostream& out, const ConvProblem& problem) {
  const ConvGeometry& g = problem.geometry;
  out << name_of(problem.pass) << ' ' << g.x << " -> " << g.y << ", " << g.window << ", "
      << name_of(problem.math);
  if (problem.epilogue == ConvEpilogue::accumulate) out << ", accumulate";
  if (problem.epilogue == ConvEpilogue::statistics) out << ", statistics";
  return out << (problem.deterministic ? ", deterministic" : "");
}

ConvGraph::ConvGraph(const ConvProblem& problem, const DeviceProperties& device)
    : problem_(problem), graph_(Builder(problem, device).graph()) {}

namespace {
/// More than one operation: the convolution does not add by itself, or is followed by something.
bool is_fused(const ConvProblem& problem) {
  if (problem.epilogue == ConvEpilogue::accumulate) return !adds_by_itself(problem);
  return problem.epilogue != ConvEpilogue::none;
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
  // For some small convolutions cuDNN's model of the card puts a kernel without tensor cores first.
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

std::optional<Plan> Plan::make(EngineConfig config, const DeviceProperties& device, std::string* why) {
  Descriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config.config);
  device.tell(plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP);
  if (const cudnnStatus_t status = plan.try_finalize(); status != CUDNN_STATUS_SUCCESS) {
    if (why) *why = text(cudnnGetErrorString(status), " (", last_cudnn_message(), ")");
    return std::nullopt;
  }
  const auto workspace = plan.get<int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
  return Plan(std::move(config), std::move(plan), static_cast<size_t>(workspace));
}

void Plan::run(cudnnHandle_t handle, std::span<const Binding> tensors, void* workspace,
               const ConvProblem& problem) const {
  std::vector<int64_t> ids;
  std::vector<void*> pointers;
  for (const Binding& binding : tensors) {
    require(reinterpret_cast<uintptr_t>(binding.data) % 16 == 0, "a tensor's address is no multiple of 16");
    ids.push_back(binding.tensor);
    pointers.push_back(binding.data);
  }
  Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, ids)
      .set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, pointers)
      .set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, workspace)
      .finalize("a variant pack");
  check(cudnnBackendExecute(handle, plan_.get(), pack.get()), "cudnnBackendExecute", problem);
}

}  // namespace laban::cuda
