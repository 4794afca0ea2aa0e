// The safetensors format: named tensors and text metadata in one file that many programs can read.
//
//   8 bytes      length H of the header, little-endian
//   H bytes      JSON: {"name": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}, ...,
//                       "__metadata__": {"key": "text", ...}}, padded with spaces to a multiple of 8
//   the rest     the tensors' bytes, row-major, little-endian, without gaps
//
// laban adds a checksum: metadata "sha256" is the SHA-256 of the header (with 64 zeros in the place of these
// digits) followed by the tensors' bytes, so damage anywhere shows. Files of other programs lack it and are
// read all the same.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/dtype.h"

namespace laban {

/// A tensor to write: row-major host memory, which must live until write_safetensors returns.
struct TensorToSave {
  std::string name;
  DType dtype = DType::f32;
  std::vector<int64_t> shape;  // empty: a scalar
  const void* data = nullptr;
};

/// Replaces `path` in one step (see AtomicFile). Throws FileError where it cannot be written.
void write_safetensors(const std::filesystem::path& path, std::span<const TensorToSave> tensors,
                       std::map<std::string, std::string> metadata);

/// A file opened for reading. Everything in the header is checked before anything is believed: a file that is
/// truncated, foreign or damaged throws a FileError that says what is wrong, and never more than its size is
/// read.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(std::filesystem::path path);

  struct Entry {
    std::string dtype;  // as in the file: "F32", "BF16", "I64", ...
    std::vector<int64_t> shape;
    uint64_t begin = 0, end = 0;  // bytes, from the start of the data
  };
  const std::filesystem::path& path() const { return path_; }
  const std::map<std::string, Entry>& entries() const { return entries_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  /// Throws FileError where the checksum is missing or differs from the contents.
  void verify_checksum() const;
  /// The values of a floating-point tensor (F64, F32, BF16) as float. Throws FileError where the tensor is
  /// missing, has another shape or another kind of element.
  std::vector<float> floats(const std::string& name, std::span<const int64_t> shape) const;
  /// As floats(), in double.
  std::vector<double> doubles(const std::string& name, std::span<const int64_t> shape) const;

 private:
  std::vector<char> bytes_of(const std::string& name, std::span<const int64_t> shape) const;
  template <class T>
  std::vector<T> values(const std::string& name, std::span<const int64_t> shape) const;

  std::filesystem::path path_;
  std::string header_;
  uint64_t data_begin_ = 0, data_bytes_ = 0;
  std::map<std::string, Entry> entries_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace laban
