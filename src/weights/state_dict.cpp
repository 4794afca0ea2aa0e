#include "weights/state_dict.h"

#include <algorithm>
#include <array>

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
      tensors[name] = {entry.type, entry.shape, row_major(entry.shape), file.position_of(entry)};
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
      throw FileError(path().string(), "contains a tensor whose name has control characters");
}

StateDict StateDict::read(const std::filesystem::path& path) { return read(FileBytes(path)); }

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
  if (count == 0) return values;
  // All that lies between its first element and its last; where that is much more than the tensor, its
  // elements one by one.
  uint64_t reach = size;
  for (size_t axis = 0; axis < tensor.shape.size(); ++axis)
    reach += static_cast<uint64_t>((tensor.shape[axis] - 1) * tensor.strides[axis]) * size;
  constexpr uint64_t kAlwaysRead = uint64_t{1} << 20;
  const bool at_once = reach <= std::max(4 * count * size, kAlwaysRead);
  const std::vector<std::byte> all = at_once ? file_.read(tensor.first, reach) : std::vector<std::byte>();
  if (tensor.strides == row_major(tensor.shape)) {
    decode(tensor.type, all.data(), values);
    return values;
  }
  // Iterates over the indices like an odometer, the last one fastest.
  std::vector<int64_t> index(tensor.shape.size(), 0);
  uint64_t at = 0;
  std::array<std::byte, sizeof(double)> element{};  // none is larger
  for (double& value : values) {
    if (!at_once) file_.read(tensor.first + at, std::span(element).first(size));
    decode(tensor.type, at_once ? all.data() + at : element.data(), std::span(&value, 1));
    for (size_t axis = index.size(); axis-- > 0;) {
      const auto step = static_cast<uint64_t>(tensor.strides[axis]) * size;
      at += step;
      if (++index[axis] < tensor.shape[axis]) break;
      at -= step * static_cast<uint64_t>(tensor.shape[axis]);
      index[axis] = 0;
    }
  }
  return values;
}

}  // namespace laban
