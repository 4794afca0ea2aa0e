// The header of a safetensors file, read as strictly as the format allows.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/element_type.h"

namespace laban {

/// A tensor's place: bytes from the start of the data.
struct SafetensorsEntry {
  ElementType type = ElementType::f32;
  std::vector<int64_t> shape;  // empty: a scalar
  uint64_t begin = 0, end = 0;
};

struct SafetensorsHeader {
  std::map<std::string, SafetensorsEntry> entries;
  std::map<std::string, std::string> metadata;
};

/// Reads the JSON `text` of the header of `path`, in front of `data_bytes` bytes of tensors. Throws
/// FileError, naming the tensor, for anything but an object of tensors with their three fields and text
/// metadata, padded with spaces; for names and fields that occur twice; unknown element types; shapes that
/// overflow or do not fit their place; places that overlap, leave a gap, or do not end where the file does.
/// The format lets a tensor begin at any byte, so its elements may be misaligned: read them with decode().
SafetensorsHeader parse_safetensors_header(std::string_view text, uint64_t data_bytes,
                                           const std::filesystem::path& path);

/// "[2, 3]"
std::string shape_text(const std::vector<int64_t>& shape);

}  // namespace laban
