// From a network into files of weights that other programs load.
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

/// Everything that a strict load_state_dict wants, in the order of PyTorch's state_dict(): parameters,
/// running statistics and num_batches_tracked (I64). `type`: of the floating-point tensors. Throws Error
/// where a value is beyond what `type` holds.
std::vector<ExportedTensor> export_state(Network& network, ElementType type, KeyStyle style);

/// A safetensors file with a checksum. Throws FileError where it cannot be written.
void write_safetensors_state(const std::filesystem::path& path, std::span<const ExportedTensor> state,
                             const std::map<std::string, std::string>& metadata);
/// What torch.save(OrderedDict(state), path) writes, in the zip format of PyTorch 1.6 and later. Throws as
/// ZipWriter does.
void write_torch_file(const std::filesystem::path& path, std::span<const ExportedTensor> state);
/// The network in evaluation as an ONNX model of opset 17, in f32: input `clips` (N, 3, T, H, W; all but the
/// 3 free), output `logits` (N, classes). `metadata` becomes its metadata_props. Throws FileError where it
/// cannot be written, Error where it would be larger than the format's 2 GiB.
void write_onnx(const std::filesystem::path& path, Network& network,
                const std::map<std::string, std::string>& metadata);

}  // namespace laban
