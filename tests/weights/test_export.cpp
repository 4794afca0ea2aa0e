// Exporting weights: what PyTorch's strict loading expects, in every format and precision.
#include "weights/export.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/error.h"
#include "core/files.h"
#include "core/safetensors.h"
#include "support/temporary_folder.h"
#include "weights/load.h"
#include "weights/made_files.h"
#include "weights/small_network.h"
#include "weights/zip.h"

using namespace laban;
using test::everything;
using test::says;
using test::small_spec;

namespace {
ReferenceBackend backend;
}

TEST_CASE("the state is complete and in PyTorch's order") {
  Network network(backend, DType::f64, small_spec("r2plus1d_18"));
  test::make_used(network, 1);
  const auto state = export_state(network, ElementType::f32, KeyStyle::torchvision);
  std::vector<std::string> names;
  for (const ExportedTensor& t : state) names.push_back(t.name);
  const std::vector<std::string> head{"stem.0.weight",      "stem.1.weight",
                                      "stem.1.bias",        "stem.1.running_mean",
                                      "stem.1.running_var", "stem.1.num_batches_tracked",
                                      "stem.3.weight"};
  CHECK(std::vector(names.begin(), names.begin() + 7) == head);
  CHECK(names.back() == "fc.bias");
  CHECK(state[5].type == ElementType::i64);
  CHECK(state[5].shape.empty());
  const ParameterList& list = network.store().list();
  CHECK(state.size() == list.parameters.size() + list.statistics.size() + list.counters.size());
  CHECK(state[0].shape == std::vector<int64_t>{3, 3, 1, 7, 7});
}

TEST_CASE("both formats give the network back exactly, and other precisions to their digits") {
  const test::TemporaryFolder folder;
  for (const char* name : {"r3d_50", "resnet3d_18"}) {
    Network network(backend, DType::f64, small_spec(name));
    test::make_used(network, 1);
    const auto want = everything(network);
    for (const auto& [type, digits] :
         {std::pair(ElementType::f32, 0.0), std::pair(ElementType::f64, 0.0),
          std::pair(ElementType::f16, 0x1p-11), std::pair(ElementType::bf16, 0x1p-8)}) {
      const auto state = export_state(network, type, public_key_style(network.spec()));
      write_safetensors_state(folder.path() / "w.safetensors", state, {{"classes", "[]"}});
      write_torch_file(folder.path() / "w.pt", state);
      SafetensorsFile(folder.path() / "w.safetensors").verify_checksum();
      for (const char* file : {"w.safetensors", "w.pt"}) {
        CAPTURE(std::string(file));
        Network other(backend, DType::f64, small_spec(name));
        other.store().initialize(5);
        load_weights(other, folder.path() / file, HeadPolicy::must_fit);
        for (const auto& [key, values] : everything(other)) {
          const std::vector<double>& wanted = want.at(key);
          bool close = true;
          for (size_t i = 0; i < values.size(); ++i)
            close = close &&
                    std::abs(values[i] - wanted[i]) <= digits * std::abs(wanted[i]) + (digits > 0 ? 1e-7 : 0);
          CHECK_MESSAGE(close, key);
        }
      }
    }
  }
}

TEST_CASE("a value that the type cannot hold is an error, not an infinity") {
  Network network(backend, DType::f64, small_spec("r3d_18"));
  test::make_used(network, 1);
  const Statistic* variance = nullptr;
  for (const Statistic* s : network.store().list().statistics)
    if (s->name == "layer2.0.conv1.1.running_var") variance = s;
  REQUIRE(variance != nullptr);
  std::vector<double> values(static_cast<size_t>(variance->shape.count()), 1);
  const auto said = [&](double value, ElementType type) -> std::string {
    values[2] = value;
    network.store().write(*variance, values);
    try {
      export_state(network, type, KeyStyle::torchvision);
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  };
  CHECK(said(65519, ElementType::f16).empty());  // rounds to 65504, the largest
  CHECK(says(said(65520, ElementType::f16),
             "tensor 'layer2.0.conv1.1.running_var' contains 65520, which is out of range for F16"));
  CHECK(says(said(1e6, ElementType::f16), "--dtype bf16 or f32"));
  CHECK(said(1e6, ElementType::bf16).empty());
  CHECK(says(said(3.4e38, ElementType::bf16), "out of range for BF16"));
  CHECK(said(3.4e38, ElementType::f32).empty());
  CHECK(says(said(1e39, ElementType::f32), "--dtype f64"));
  CHECK(said(1e39, ElementType::f64).empty());
}

TEST_CASE("a PyTorch file is laid out as PyTorch's own") {
  const test::TemporaryFolder folder;
  Network network(backend, DType::f32, small_spec("r3d_18"));
  test::make_used(network, 1);
  const auto path = folder.path() / "w.pt";
  write_torch_file(path, export_state(network, ElementType::f32, KeyStyle::torchvision));
  const ZipReader zip{FileBytes(path)};
  for (const char* entry : {"archive/data.pkl", "archive/version", "archive/byteorder", "archive/data/0"})
    CHECK(zip.find(entry) != nullptr);
  const auto program = zip.read(*zip.find("archive/data.pkl"));
  CHECK(program.front() == std::byte{0x80});
  CHECK(program.back() == std::byte{'.'});
  // Equal weights give equal bytes.
  const std::string once = read_file(path);
  write_torch_file(path, export_state(network, ElementType::f32, KeyStyle::torchvision));
  CHECK(read_file(path) == once);
}
