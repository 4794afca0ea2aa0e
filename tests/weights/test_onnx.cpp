// ONNX files, read back field by field.
#include <doctest/doctest.h>

#include <cstring>
#include <map>
#include <set>
#include <vector>

#include "core/files.h"
#include "support/temporary_folder.h"
#include "weights/export.h"
#include "weights/small_network.h"

using namespace laban;
using test::small_spec;

namespace {

/// A protobuf message taken apart: the values of each field, in order.
struct Message {
  std::map<uint64_t, std::vector<uint64_t>> numbers;
  std::map<uint64_t, std::vector<std::string>> texts;

  explicit Message(std::string_view bytes) {
    while (!bytes.empty()) {
      const uint64_t key = varint(bytes);
      switch (key & 7) {
        case 0:
          numbers[key >> 3].push_back(varint(bytes));
          break;
        case 2: {
          const uint64_t length = varint(bytes);
          REQUIRE(length <= bytes.size());
          texts[key >> 3].emplace_back(bytes.substr(0, length));
          bytes.remove_prefix(length);
          break;
        }
        case 5: {
          uint32_t word = 0;
          REQUIRE(bytes.size() >= 4);
          std::memcpy(&word, bytes.data(), 4);
          numbers[key >> 3].push_back(word);
          bytes.remove_prefix(4);
          break;
        }
        default:
          FAIL("wire type ", key & 7);
      }
    }
  }
  std::string text(uint64_t field) const { return texts.at(field).at(0); }
  uint64_t number(uint64_t field) const { return numbers.at(field).at(0); }
  std::vector<Message> messages(uint64_t field) const {
    std::vector<Message> all;
    if (const auto found = texts.find(field); found != texts.end())
      for (const std::string& bytes : found->second) all.emplace_back(bytes);
    return all;
  }

 private:
  static uint64_t varint(std::string_view& bytes) {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      REQUIRE(!bytes.empty());
      const auto byte = static_cast<uint8_t>(bytes.front());
      bytes.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 127) << shift;
      if (byte < 128) return value;
    }
  }
};

Message onnx_of(const ModelSpec& spec, const test::TemporaryFolder& folder, Network* keep = nullptr) {
  static ReferenceBackend backend;
  Network network(backend, DType::f64, spec);
  test::make_used(keep ? *keep : network, 1);
  write_onnx(folder.path() / "m.onnx", keep ? *keep : network, {{"classes", "[\"a\"]"}});
  return Message(read_file(folder.path() / "m.onnx"));
}

std::map<std::string, int> operators(const Message& model) {
  std::map<std::string, int> counts;
  for (const Message& node : model.messages(7).at(0).messages(1)) ++counts[node.text(4)];
  return counts;
}

/// The attribute `name` of a node.
Message attribute(const Message& node, const std::string& name) {
  for (const Message& a : node.messages(5))
    if (a.text(1) == name) return a;
  throw std::logic_error("no attribute " + name);
}

}  // namespace

TEST_CASE("an ONNX model says its versions, its input and output, and its notes") {
  const test::TemporaryFolder folder;
  const Message model = onnx_of(small_spec("r3d_18"), folder);
  CHECK(model.number(1) == 8);
  CHECK(model.text(2) == "laban");
  CHECK(model.messages(8).at(0).number(2) == 17);
  CHECK(model.messages(14).at(0).text(1) == "classes");
  CHECK(model.messages(14).at(0).text(2) == "[\"a\"]");
  const Message graph = model.messages(7).at(0);
  const auto dimensions = [](const Message& value) {
    std::vector<std::string> names;
    for (const Message& d : value.messages(2).at(0).messages(1).at(0).messages(2).at(0).messages(1))
      names.push_back(d.texts.contains(2) ? d.text(2) : std::to_string(d.number(1)));
    return names;
  };
  const Message input = graph.messages(11).at(0), output = graph.messages(12).at(0);
  CHECK(input.text(1) == "clips");
  CHECK(dimensions(input) == std::vector<std::string>{"clips", "3", "frames", "height", "width"});
  CHECK(output.text(1) == "logits");
  CHECK(dimensions(output) == std::vector<std::string>{"clips", "5"});
}

TEST_CASE(
    "the graph is complete: every input was computed before or is a weight, and the last output is logits") {
  const test::TemporaryFolder folder;
  ModelSpec hara = small_spec("resnet3d_18");
  hara.options.shortcut = ShortcutKind::subsample;
  for (const ModelSpec& spec :
       {small_spec("r3d_50"), small_spec("r2plus1d_18"), small_spec("mc3_18"), hara}) {
    CAPTURE(spec.name);
    const Message graph = onnx_of(spec, folder).messages(7).at(0);
    std::set<std::string> known{"clips"}, used, names;
    for (const Message& t : graph.messages(5)) CHECK(known.insert(t.text(8)).second);
    const size_t weights = known.size() - 1;
    for (const Message& node : graph.messages(1)) {
      for (const std::string& input : node.texts.at(1)) {
        CHECK_MESSAGE(known.contains(input), input);
        used.insert(input);
      }
      CHECK(known.insert(node.text(2)).second);
      CHECK(names.insert(node.text(3)).second);
    }
    CHECK(graph.messages(1).back().text(2) == "logits");
    CHECK(used.size() == known.size() - 1);  // all but the output serve somebody
    CHECK(weights > 20);
  }
}

TEST_CASE("operators and their attributes are those of the model") {
  const test::TemporaryFolder folder;
  const Message r2plus1d = onnx_of(small_spec("r2plus1d_18"), folder);
  // Stem 2, four blocks of 4, three projections; a batch norm after each.
  CHECK(operators(r2plus1d) == std::map<std::string, int>{{"Conv", 21},
                                                          {"BatchNormalization", 21},
                                                          {"Relu", 18},
                                                          {"Add", 4},
                                                          {"GlobalAveragePool", 1},
                                                          {"Flatten", 1},
                                                          {"Gemm", 1}});
  for (const Message& node : r2plus1d.messages(7).at(0).messages(1)) {
    if (node.text(3) == "layer2.0.conv1.0.0") {
      using Numbers = std::vector<uint64_t>;
      CHECK(attribute(node, "kernel_shape").numbers.at(8) == Numbers{1, 3, 3});
      CHECK(attribute(node, "strides").numbers.at(8) == Numbers{1, 2, 2});
      CHECK(attribute(node, "pads").numbers.at(8) == Numbers{0, 1, 1, 0, 1, 1});
      CHECK(node.texts.at(1) ==
            std::vector<std::string>{"layer1.0.conv2.1.relu.out", "layer2.0.conv1.0.0.weight"});
    }
    if (node.text(4) == "BatchNormalization") {
      const auto bits = static_cast<uint32_t>(attribute(node, "epsilon").number(2));
      float epsilon = 0;
      std::memcpy(&epsilon, &bits, 4);
      CHECK(epsilon == 1e-5f);
      CHECK(node.texts.at(1).size() == 5);
    }
  }
  ModelSpec hara = small_spec("resnet3d_18");
  hara.options.shortcut = ShortcutKind::subsample;
  const auto counts = operators(onnx_of(hara, folder));
  CHECK(counts.at("MaxPool") == 1);
  CHECK(counts.at("Slice") == 3);
  CHECK(counts.at("Pad") == 3);
  CHECK(counts.at("Conv") == 9);
}

TEST_CASE("initializers hold the weights, in f32 and PyTorch's layout") {
  const test::TemporaryFolder folder;
  ReferenceBackend backend;
  Network network(backend, DType::f64, small_spec("r3d_18"));
  const Message graph = onnx_of(network.spec(), folder, &network).messages(7).at(0);
  const auto values = test::everything(network);
  size_t found = 0;
  for (const Message& t : graph.messages(5)) {
    const std::vector<double>& want = values.at(t.text(8));
    const std::string raw = t.text(9);
    CHECK(t.number(2) == 1);
    REQUIRE(raw.size() == want.size() * 4);
    uint64_t count = 1;
    for (const uint64_t extent : t.numbers.at(1)) count *= extent;
    CHECK(count == want.size());
    bool same = true;
    for (size_t i = 0; i < want.size(); ++i) {
      float single = 0;
      std::memcpy(&single, raw.data() + i * 4, 4);
      same = same && static_cast<double>(single) == want[i];
    }
    CHECK_MESSAGE(same, t.text(8));
    ++found;
  }
  const ParameterList& list = network.store().list();
  CHECK(found == list.parameters.size() + list.statistics.size());
}
