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

#include "core/file_bytes.h"
#include "core/safetensors_header.h"

namespace laban {

/// A tensor to write: row-major host memory, which must live until write_safetensors returns.
struct TensorToSave {
  std::string name;
  ElementType type = ElementType::f32;
  std::vector<int64_t> shape;  // empty: a scalar
  const void* data = nullptr;

  /// Of all elements.
  uint64_t bytes() const;
};

/// Replaces `path` in one step (see AtomicFile). In the file the tensors with the widest elements come first,
/// so that all are aligned. Throws FileError where it cannot be written.
void write_safetensors(const std::filesystem::path& path, std::span<const TensorToSave> tensors,
                       std::map<std::string, std::string> metadata);

/// A file opened for reading. Everything in the header is checked before anything is
/// believed (safetensors_header.h): a file that is truncated, foreign or damaged throws a FileError that says
/// what is wrong.
class SafetensorsFile {
 public:
  using Entry = SafetensorsEntry;

  explicit SafetensorsFile(const std::filesystem::path& path);
  explicit SafetensorsFile(FileBytes file);

  const std::filesystem::path& path() const { return file_.path(); }
  const std::map<std::string, Entry>& entries() const { return header_.entries; }
  const std::map<std::string, std::string>& metadata() const { return header_.metadata; }
  bool has(const std::string& name) const { return header_.entries.contains(name); }

  /// Throws FileError where the checksum is missing or differs from the contents.
  void verify_checksum() const;
  /// Where the tensor's bytes lie in the file: not necessarily aligned for its elements.
  uint64_t position_of(const Entry& entry) const { return data_at_ + entry.begin; }
  std::vector<std::byte> bytes_of(const Entry& entry) const {
    return file_.read(position_of(entry), entry.end - entry.begin);
  }
  /// The values of a floating-point tensor (F64, F32, F16, BF16). Throws FileError where the tensor is
  /// missing, has another shape or another kind of element.
  std::vector<double> doubles(const std::string& name, std::span<const int64_t> shape) const;
  /// The values of a tensor of whole numbers, likewise.
  std::vector<int64_t> integers(const std::string& name, std::span<const int64_t> shape) const;

 private:
  const Entry& checked(const std::string& name, std::span<const int64_t> shape) const;

  FileBytes file_;
  std::string header_text_;
  uint64_t data_at_ = 0;
  SafetensorsHeader header_;
};

}  // namespace laban
