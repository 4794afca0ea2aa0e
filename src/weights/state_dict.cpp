#include "weights/state_dict.h"

#include <algorithm>

#include "core/error.h"
#include "core/safetensors.h"
#include "weights/torch_file.h"

namespace laban {
namespace {

std::vector<int64_t> row_major(const std::vector<int64_t>& shape) {
  std::vector<int64_t> strides(shape.size());
  int64_t stride = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= std::max<int64_t>(1, shape[i]);
  }
  return strides;
}

StateDict from_safetensors(FileBytes bytes) {
  const SafetensorsFile file(bytes);
  std::map<std::string, StoredTensor> tensors;
  for (const auto& [name, entry] : file.entries())
    if (!name.starts_with("optimizer.") && !name.starts_with("training."))
      tensors[name] = {entry.type, entry.shape, row_major(entry.shape), file.bytes_of(entry).data()};
  return {std::move(bytes), std::move(tensors), file.metadata()};
}

}  // namespace

StateDict::StateDict(FileBytes file, std::map<std::string, StoredTensor> tensors,
                     std::map<std::string, std::string> metadata, std::vector<std::string> notes)
    : file_(std::move(file)),
      tensors_(std::move(tensors)),
      metadata_(std::move(metadata)),
      notes_(std::move(notes)) {
  for (const auto& [name, tensor] : tensors_)
    if (std::ranges::any_of(name, [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
      throw FileError(file_.path.string(), "contains a tensor whose name has control characters");
}

StateDict StateDict::read(const std::filesystem::path& path) { return read(map_file(path)); }

StateDict StateDict::read(FileBytes file) {
  return is_torch_file(file) ? read_torch_file(std::move(file)) : from_safetensors(std::move(file));
}

std::vector<double> StateDict::values(const std::string& name) const {
  const StoredTensor& tensor = tensors_.at(name);
  if (!is_readable(tensor.type))
    throw FileError(path().string(),
                    text("tensor '", name, "' is ", name_of(tensor.type), ", which is not supported"));
  const size_t size = size_of(tensor.type);
  size_t count = 1;
  for (const int64_t extent : tensor.shape) count *= static_cast<size_t>(extent);

  std::vector<double> values(count);
  if (tensor.strides == row_major(tensor.shape)) {
    decode(tensor.type, tensor.first, values);
    return values;
  }
  // Iterates over the indices like an odometer, the last one fastest.
  std::vector<int64_t> index(tensor.shape.size(), 0);
  const std::byte* at = tensor.first;
  for (double& value : values) {
    decode(tensor.type, at, std::span(&value, 1));
    for (size_t axis = index.size(); axis-- > 0;) {
      const auto step = static_cast<std::ptrdiff_t>(size) * tensor.strides[axis];
      at += step;
      if (++index[axis] < tensor.shape[axis]) break;
      at -= step * tensor.shape[axis];
      index[axis] = 0;
    }
  }
  return values;
}

}  // namespace laban
