// Writes a network's weights to files that other programs load.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/element_type.h"
#include "models/network.h"
#include "weights/key_style.h"

namespace laban {

/// A host copy in PyTorch's layout.
struct ExportedTensor {
  std::string name;
  ElementType type = ElementType::f32;
  std::vector<int64_t> shape;
  std::vector<std::byte> bytes;
};

/// Everything that a strict load_state_dict expects, in the order of PyTorch's state_dict(): parameters,
/// running statistics and num_batches_tracked (I64). `type` is that of the floating-point tensors. Throws
/// Error if a value is out of range for `type`.
std::vector<ExportedTensor> export_state(Network& network, ElementType type, KeyStyle style);

/// Writes a safetensors file with a checksum. Throws FileError if it cannot be written.
void write_safetensors_state(const std::filesystem::path& path, std::span<const ExportedTensor> state,
                             const std::map<std::string, std::string>& metadata);
/// Writes what torch.save(OrderedDict(state), path) writes, in the zip format of PyTorch 1.6 and later.
/// Throws like ZipWriter.
void write_torch_file(const std::filesystem::path& path, std::span<const ExportedTensor> state);
/// Writes the network in evaluation mode as an ONNX model with opset 17, in f32: input `clips` (N, 3, T, H,
/// W; all dynamic except the 3), output `logits` (N, classes). `metadata` becomes its metadata_props. Throws
/// FileError if it cannot be written, Error if it would exceed the format's 2 GiB.
void write_onnx(const std::filesystem::path& path, Network& network,
                const std::map<std::string, std::string>& metadata);

}  // namespace laban
