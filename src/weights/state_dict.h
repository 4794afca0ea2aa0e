// Named tensors from a weight file of any format.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/element_type.h"
#include "core/file_bytes.h"

namespace laban {

/// A tensor in the file. All its elements are within the file, and (if none is 0) the product of its extents
/// is no larger than the file could hold, or is small (torch_file.cpp).
struct StoredTensor {
  ElementType type = ElementType::f32;
  std::vector<int64_t> shape;    // empty: a scalar
  std::vector<int64_t> strides;  // elements, as many as `shape`; never negative
  uint64_t first = 0;            // element: its position in the file; 0 if there is none
};

class StateDict {
 public:
  /// `file` holds the tensors' data, which are read when they are asked for. Throws FileError if a name has control characters, as names are
  /// printed on terminals.
  StateDict(FileBytes file, std::map<std::string, StoredTensor> tensors,
            std::map<std::string, std::string> metadata = {}, std::vector<std::string> notes = {});

  /// Reads a safetensors file (including laban's checkpoints, ignoring the optimizer state) or a torch.save
  /// file; the format is detected from the contents, not the name. Throws FileError for anything else.
  static StateDict read(const std::filesystem::path& path);
  static StateDict read(FileBytes file);

  const std::filesystem::path& path() const { return file_.path(); }
  const FileBytes& file() const { return file_; }
  const std::map<std::string, StoredTensor>& tensors() const { return tensors_; }
  /// Of safetensors files.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// How the file was read, where a person should know: sentences that begin in lower case.
  const std::vector<std::string>& notes() const { return notes_; }
  StateDict with_note(std::string note) const {
    StateDict noted = *this;
    noted.notes_.push_back(std::move(note));
    return noted;
  }

  /// All elements of a tensor in row-major order, widened to double. Throws FileError if its type is not
  /// supported, or the file has been changed since it was opened.
  std::vector<double> values(const std::string& name) const;

  /// The tensors whose names `wanted` accepts.
  template <class Wanted>
  StateDict filtered(Wanted wanted) const {
    std::map<std::string, StoredTensor> tensors;
    for (const auto& [name, tensor] : tensors_)
      if (wanted(name)) tensors.emplace(name, tensor);
    return {file_, std::move(tensors), metadata_, notes_};
  }
  /// The same tensors under other names. `rename` must not map two names to one.
  template <class Rename>
  StateDict renamed(Rename rename) const {
    std::map<std::string, StoredTensor> tensors;
    for (const auto& [name, tensor] : tensors_) tensors.emplace(rename(name), tensor);
    return {file_, std::move(tensors), metadata_, notes_};
  }

 private:
  FileBytes file_;
  std::map<std::string, StoredTensor> tensors_;
  std::map<std::string, std::string> metadata_;
  std::vector<std::string> notes_;
};

}  // namespace laban
