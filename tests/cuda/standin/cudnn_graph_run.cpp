#include "standin/cudnn_graph_run.h"

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "standin/gpu.h"
#include "standin/products.h"
#include "standin/values.h"

namespace laban::standin {
namespace {

const std::vector<std::byte>& stored(const Node& node, cudnnBackendAttributeName_t name) {
  const auto at = node.values.find(name);
  require(at != node.values.end(), "the stand-in cuDNN: an attribute is missing");
  return at->second;
}
template <class T>
std::vector<T> list(const Node& node, cudnnBackendAttributeName_t name) {
  const std::vector<std::byte>& bytes = stored(node, name);
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}
template <class T>
T value(const Node& node, cudnnBackendAttributeName_t name) {
  const std::vector<std::byte>& bytes = stored(node, name);
  require(bytes.size() == sizeof(T), "the stand-in cuDNN: an attribute of another type");
  T result;
  std::memcpy(&result, bytes.data(), sizeof result);
  return result;
}
const Node& child(const Node& node, int name) {
  const auto at = node.children.find(name);
  require(at != node.children.end() && at->second.size() == 1, "the stand-in cuDNN: a descriptor is missing");
  return *at->second.front();
}

/// A tensor of a graph.
struct Operand {
  explicit Operand(const Node& node)
      : id(value<int64_t>(node, CUDNN_ATTR_TENSOR_UNIQUE_ID)),
        dtype(value<cudnnDataType_t>(node, CUDNN_ATTR_TENSOR_DATA_TYPE) == CUDNN_DATA_FLOAT ? DType::f32
                                                                                            : DType::bf16),
        is_virtual(value<bool>(node, CUDNN_ATTR_TENSOR_IS_VIRTUAL)) {
    const auto dims = list<int64_t>(node, CUDNN_ATTR_TENSOR_DIMENSIONS),
               strides = list<int64_t>(node, CUDNN_ATTR_TENSOR_STRIDES);
    shape = dims.size() == 4 ? Shape{dims[0], dims[1], 1, dims[2], dims[3]}
                             : Shape{dims[0], dims[1], dims[2], dims[3], dims[4]};
    // Channels last, and no gaps: all that laban has.
    std::vector<size_t> inside_out{1};
    for (size_t axis = dims.size() - 1; axis > 1; --axis) inside_out.push_back(axis);
    inside_out.push_back(0);
    int64_t expected = 1;
    for (const size_t axis : inside_out) {
      require(strides[axis] == expected || dims[axis] == 1, "the stand-in cuDNN: strides with gaps");
      expected *= dims[axis];
    }
  }
  size_t bytes() const { return static_cast<size_t>(shape.count()) * size_of(dtype); }

  int64_t id;
  DType dtype;
  bool is_virtual;
  Shape shape;
};

/// The memory of a run: what is bound, and what only lives in between.
class Run {
 public:
  explicit Run(std::map<int64_t, void*> bound) : bound_(std::move(bound)) {}

  std::vector<float> load(const Operand& operand) {
    if (operand.is_virtual) return between_.at(operand.id);
    return read_values(bound_.at(operand.id), operand.dtype, operand.shape.count());
  }
  void store(const Operand& operand, std::vector<float> values) {
    if (operand.is_virtual)
      between_[operand.id] = std::move(values);
    else
      write_values(bound_.at(operand.id), operand.dtype, values);
  }

  void operator()(const Node& operation) {
    switch (operation.type) {
      case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
        return forward(operation);
      case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
        return data(operation);
      case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR:
        return weights(operation);
      case CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR:
        return pointwise(operation);
      default:
        throw Error("the stand-in cuDNN knows no such operation");
    }
  }

 private:
  struct Input {
    Shape shape;
    std::vector<float> values;
  };
  Input loaded(const Node& operation, int name) {
    const Operand operand(child(operation, name));
    return {operand.shape, load(operand)};
  }
  static Window window_of(const Node& convolution, const Shape& weights) {
    const auto axes = [&](cudnnBackendAttributeName_t name, int64_t absent) {
      const auto values = list<int64_t>(convolution, name);
      std::array<int64_t, 3> result{absent, absent, absent};
      std::copy(values.begin(), values.end(), result.end() - static_cast<int64_t>(values.size()));
      return result;
    };
    return {{weights.t, weights.h, weights.w},
            axes(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, 1),
            axes(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, 0)};
  }
  /// `values` (+ beta times what was there), stored. What a library does not read it does not multiply by 0.
  void finish(const Operand& result, std::vector<float> values, float beta) {
    if (beta != 0) {
      const std::vector<float> before = load(result);
      for (size_t i = 0; i < before.size(); ++i) values[i] += beta * before[i];
    }
    store(result, std::move(values));
  }

  void forward(const Node& o) {
    const Input x = loaded(o, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X),
                w = loaded(o, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W);
    const Operand y(child(o, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y));
    const Window window = window_of(child(o, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC), w.shape);
    finish(y, convolve(x.values, x.shape, w.values, y.shape, window),
           value<float>(o, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA));
  }
  void data(const Node& o) {
    const Input dy = loaded(o, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY),
                w = loaded(o, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W);
    const Operand dx(child(o, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX));
    const Window window = window_of(child(o, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC), w.shape);
    finish(dx, convolve_data(dy.values, dy.shape, w.values, dx.shape, window),
           value<float>(o, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA));
  }
  void weights(const Node& o) {
    const Input x = loaded(o, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X),
                dy = loaded(o, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY);
    const Operand dw(child(o, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW));
    const Window window =
        window_of(child(o, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC), dw.shape);
    finish(dw, convolve_weights(x.values, x.shape, dy.values, dy.shape, window),
           value<float>(o, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA));
  }
  void pointwise(const Node& o) {
    const Input a = loaded(o, CUDNN_ATTR_OPERATION_POINTWISE_XDESC),
                b = loaded(o, CUDNN_ATTR_OPERATION_POINTWISE_BDESC);
    std::vector<float> y(a.values.size());
    const auto mode = value<cudnnPointwiseMode_t>(child(o, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR),
                                                  CUDNN_ATTR_POINTWISE_MODE);
    require(mode == CUDNN_POINTWISE_ADD, "the stand-in cuDNN only adds");
    for (size_t i = 0; i < y.size(); ++i) y[i] = a.values[i] + b.values[i];
    store(Operand(child(o, CUDNN_ATTR_OPERATION_POINTWISE_YDESC)), std::move(y));
  }

  std::map<int64_t, void*> bound_;
  std::map<int64_t, std::vector<float>> between_;
};

/// All tensors of a graph that lie in memory.
std::vector<Operand> operands(const Node& graph) {
  std::vector<Operand> all;
  for (const auto& operation : graph.children.at(CUDNN_ATTR_OPERATIONGRAPH_OPS))
    for (const auto& [name, children] : operation->children)
      for (const auto& tensor : children)
        if (tensor->type == CUDNN_BACKEND_TENSOR_DESCRIPTOR &&
            !value<bool>(*tensor, CUDNN_ATTR_TENSOR_IS_VIRTUAL))
          all.emplace_back(*tensor);
  return all;
}

}  // namespace

std::shared_ptr<const Node> graph_of(const Node& plan) {
  const Node& config = child(plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
  if (config.children.contains(Node::kFrom))
    return child(config, Node::kFrom).children.at(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH).front();
  return child(config, CUDNN_ATTR_ENGINECFG_ENGINE).children.at(CUDNN_ATTR_ENGINE_OPERATION_GRAPH).front();
}

void run_graph(std::shared_ptr<const Node> graph, const Node& pack, size_t workspace_bytes,
               cudaStream_t stream) {
  Gpu& gpu = Gpu::the_one();
  const auto ids = list<int64_t>(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  const auto pointers = list<void*>(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
  require(ids.size() == pointers.size(), "a variant pack with other ids than pointers");
  std::map<int64_t, void*> bound;
  for (size_t i = 0; i < ids.size(); ++i) bound[ids[i]] = pointers[i];
  for (const Operand& operand : operands(*graph)) {
    require(bound.contains(operand.id), "a tensor of the graph is bound to no memory");
    gpu.require_piece(bound[operand.id], operand.bytes(), text("cuDNN's tensor ", operand.id));
  }
  std::byte* const workspace = value<std::byte*>(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE);
  if (workspace_bytes > 0) gpu.require_piece(workspace, workspace_bytes, "cuDNN's workspace");
  const size_t spoiled = std::min<size_t>(workspace_bytes, size_t{1} << 20);
  gpu.put(stream, [graph, bound, workspace, spoiled] {
    if (spoiled > 0) std::fill_n(workspace, spoiled, std::byte{0xFF});
    Run run(bound);
    for (const auto& operation : graph->children.at(CUDNN_ATTR_OPERATIONGRAPH_OPS)) run(*operation);
  });
}

}  // namespace laban::standin
