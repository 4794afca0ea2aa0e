// ONNX: the network's trace as a graph of the format's operators. A file is one protobuf message; the dozen
// fields that are needed are written with protobuf.h, by their numbers in onnx.proto, so neither a copy of
// that file nor protobuf's compiler and library is required.
#include <limits>

#include "core/error.h"
#include "core/files.h"
#include "weights/export.h"
#include "weights/protobuf.h"

namespace laban {
namespace {

using Message = ProtobufMessage;

constexpr int64_t kIrVersion = 8, kOpset = 17;
constexpr int64_t kFloat = 1, kInt64 = 7;                                      // TensorProto.DataType
constexpr int64_t kAttributeFloat = 1, kAttributeInt = 2, kAttributeInts = 7;  // AttributeProto.AttributeType

Message attribute(const std::string& name, float value) {
  return Message().bytes(1, name).real(2, value).number(20, kAttributeFloat);
}
Message attribute(const std::string& name, int64_t value) {
  return Message().bytes(1, name).number(3, value).number(20, kAttributeInt);
}
Message attribute(const std::string& name, const std::vector<int64_t>& values) {
  Message message;
  message.bytes(1, name);
  for (const int64_t value : values) message.number(8, value);
  return message.number(20, kAttributeInts);
}

Message initializer(const std::string& name, int64_t type, const std::vector<int64_t>& shape,
                    std::string_view data) {
  Message tensor;
  for (const int64_t extent : shape) tensor.number(1, extent);
  return tensor.number(2, type).bytes(8, name).bytes(9, data);
}

/// An input or output. A dimension is a number, or a name if it is dynamic.
struct Dimension {
  int64_t size = 0;
  std::string name = {};
};
Message value_info(const std::string& name, const std::vector<Dimension>& dimensions) {
  Message shape;
  for (const Dimension& d : dimensions)
    shape.message(1, d.name.empty() ? Message().number(1, d.size) : Message().bytes(2, d.name));
  return Message().bytes(1, name).message(
      2, Message().message(1, Message().number(1, kFloat).message(2, shape)));
}

class GraphWriter {
 public:
  explicit GraphWriter(const Graph& graph) : graph_(graph) {}

  /// Appends the operators of node `i`.
  void write(size_t i) {
    const GraphNode& node = graph_[i];
    std::vector<std::string> inputs;
    for (const int input : node.inputs) inputs.push_back(value_of(input));
    const std::string output = value_of(static_cast<int>(i));
    const auto parameters = [&](std::initializer_list<const char*> names) {
      for (const char* name : names) inputs.push_back(node.name + "." + name);
    };
    switch (node.kind) {
      case GraphNode::Kind::conv:
        parameters({"weight"});
        if (node.bias) parameters({"bias"});
        return add("Conv", node.name, inputs, output, window(node.window));
      case GraphNode::Kind::batch_norm:
        parameters({"weight", "bias", "running_mean", "running_var"});
        return add("BatchNormalization", node.name, inputs, output,
                   {attribute("epsilon", static_cast<float>(node.eps))});
      case GraphNode::Kind::relu:
        return add("Relu", node.name, inputs, output);
      case GraphNode::Kind::add:
        return add("Add", node.name, inputs, output);
      case GraphNode::Kind::max_pool:
        return add("MaxPool", node.name, inputs, output, window(node.window));
      case GraphNode::Kind::global_avg_pool:
        add("GlobalAveragePool", node.name, inputs, output + ".kept");
        return add("Flatten", node.name + ".flat", {output + ".kept"}, output,
                   {attribute("axis", int64_t{1})});
      case GraphNode::Kind::linear:
        parameters({"weight", "bias"});
        return add("Gemm", node.name, inputs, output, {attribute("transB", int64_t{1})});
      case GraphNode::Kind::subsample:
        return write_subsample(node, inputs[0], output);
    }
  }

  Message finish(const std::string& name, int64_t classes) {
    graph_message_.bytes(2, name);
    graph_message_.message(
        11, value_info(
                "clips",
                {{.name = "clips"}, {.size = 3}, {.name = "frames"}, {.name = "height"}, {.name = "width"}}));
    graph_message_.message(12, value_info("logits", {{.name = "clips"}, {.size = classes}}));
    return std::move(graph_message_);
  }
  void add_initializer(const Message& tensor) { graph_message_.message(5, tensor); }

 private:
  /// The name of a node's output.
  std::string value_of(int node) const {
    if (node == kGraphInput) return "clips";
    if (static_cast<size_t>(node) + 1 == graph_.size()) return "logits";
    return graph_[static_cast<size_t>(node)].name + ".out";
  }

  static std::vector<Message> window(const Window& v) {
    const auto list = [](const std::array<int64_t, 3>& a) {
      return std::vector<int64_t>(a.begin(), a.end());
    };
    std::vector<int64_t> pads = list(v.padding);  // at the beginnings, then at the ends
    pads.insert(pads.end(), v.padding.begin(), v.padding.end());
    return {attribute("kernel_shape", list(v.kernel)), attribute("strides", list(v.stride)),
            attribute("pads", pads)};
  }

  void add(const std::string& op, const std::string& name, const std::vector<std::string>& inputs,
           const std::string& output, const std::vector<Message>& attributes = {}) {
    Message node;
    for (const std::string& input : inputs) node.bytes(1, input);
    node.bytes(2, output).bytes(3, name).bytes(4, op);
    for (const Message& a : attributes) node.message(5, a);
    graph_message_.message(1, node);
  }

  std::string constant(const std::string& name, const std::vector<int64_t>& values) {
    add_initializer(
        initializer(name, kInt64, {static_cast<int64_t>(values.size())},
                    {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(int64_t)}));
    return name;
  }

  /// Every stride-th element, then zeros in the additional channels.
  void write_subsample(const GraphNode& node, const std::string& input, const std::string& output) {
    const auto& stride = node.window.stride;
    const std::string name = node.name, taken = output + ".taken";
    add("Slice", name,
        {input, constant(name + ".starts", {0, 0, 0}),
         constant(name + ".ends", std::vector<int64_t>(3, std::numeric_limits<int64_t>::max())),
         constant(name + ".axes", {2, 3, 4}), constant(name + ".steps", {stride[0], stride[1], stride[2]})},
        taken);
    const int64_t more = node.channels_out - node.channels_in;
    add("Pad", name + ".zeros", {taken, constant(name + ".pads", {0, 0, 0, 0, 0, 0, more, 0, 0, 0})}, output);
  }

  const Graph& graph_;
  Message graph_message_;
};

}  // namespace

void write_onnx(const std::filesystem::path& path, Network& network,
                const std::map<std::string, std::string>& metadata) {
  const Graph graph = network.trace();
  GraphWriter writer(graph);
  for (size_t i = 0; i < graph.size(); ++i) writer.write(i);
  size_t bytes = 0;
  for (const ExportedTensor& t : export_state(network, ElementType::f32, KeyStyle::torchvision)) {
    if (t.type != ElementType::f32) continue;  // a count, which no operator uses
    const std::string_view data(reinterpret_cast<const char*>(t.bytes.data()), t.bytes.size());
    writer.add_initializer(initializer(t.name, kFloat, t.shape, data));
    bytes += data.size();
  }
  if (bytes > std::numeric_limits<int32_t>::max())
    throw Error(
        text(network.spec().name, " needs ", bytes, " bytes, more than the 2 GiB limit of ONNX files"));

  Message model;
  model.number(1, kIrVersion).bytes(2, "laban");
  model.message(7, writer.finish(network.spec().name, network.spec().classes));
  model.message(8, Message().bytes(1, "").number(2, kOpset));
  for (const auto& [key, value] : metadata) model.message(14, Message().bytes(1, key).bytes(2, value));
  write_file(path, model.str());
}

}  // namespace laban
