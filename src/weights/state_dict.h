// Named tensors out of a file of weights, whatever its format.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/element_type.h"
#include "core/file_bytes.h"

namespace laban {

/// A tensor where it lies in the mapped file. All its elements are within the file, and (where none is 0) its
/// extents multiply to no more than the file could hold, a little number aside (torch_file.cpp).
struct StoredTensor {
  ElementType type = ElementType::f32;
  std::vector<int64_t> shape;        // empty: a scalar
  std::vector<int64_t> strides;      // elements, as many as `shape`; never negative
  const std::byte* first = nullptr;  // element; null where there is none
};

class StateDict {
 public:
  /// `file` keeps what the tensors point to.
  /// Throws FileError where a name has control characters: names end up on terminals.
  StateDict(FileBytes file, std::map<std::string, StoredTensor> tensors,
            std::map<std::string, std::string> metadata = {});

  /// Reads a safetensors file (a checkpoint of laban as well, whose optimizer's state is left out) or what
  /// torch.save wrote; the contents decide which, not the name. Throws FileError for anything else.
  static StateDict read(const std::filesystem::path& path);
  static StateDict read(FileBytes file);

  const std::filesystem::path& path() const { return file_.path; }
  const std::map<std::string, StoredTensor>& tensors() const { return tensors_; }
  /// Of safetensors files.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  /// All elements of a tensor in row-major order, widened. Throws FileError where its type cannot be read.
  std::vector<double> values(const std::string& name) const;

  /// The same tensors but for one, which need not be there.
  StateDict without(const std::string& name) const;
  /// The same tensors under other names. `rename` must not map two names to one.
  template <class Rename>
  StateDict renamed(Rename rename) const {
    std::map<std::string, StoredTensor> tensors;
    for (const auto& [name, tensor] : tensors_) tensors.emplace(rename(name), tensor);
    return {file_, std::move(tensors), metadata_};
  }

 private:
  FileBytes file_;
  std::map<std::string, StoredTensor> tensors_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace laban
