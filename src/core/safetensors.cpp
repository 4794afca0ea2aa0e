#include "core/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/error.h"
#include "core/files.h"
#include "core/sha256.h"

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

namespace laban {
namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t kLargestHeader = 100'000'000;  // as the format's own readers have it
constexpr const char* kMetadata = "__metadata__";
constexpr const char* kChecksum = "sha256";
const std::string kNoChecksum(64, '0');

const char* format_name(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return "F64";
    case DType::f32:
      return "F32";
    case DType::bf16:
      return "BF16";
    case DType::i64:
      return "I64";
    case DType::i32:
      return "I32";
    case DType::u8:
      return "U8";
  }
  return "?";
}

/// Bytes an element of the format's types; nothing for a name that the format does not know.
std::optional<uint64_t> element_bytes(const std::string& dtype) {
  static const std::map<std::string, uint64_t> sizes{
      {"F64", 8}, {"I64", 8}, {"U64", 8}, {"F32", 4}, {"I32", 4},  {"U32", 4},     {"F16", 2},    {"BF16", 2},
      {"I16", 2}, {"U16", 2}, {"I8", 1},  {"U8", 1},  {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};
  const auto found = sizes.find(dtype);
  return found == sizes.end() ? std::nullopt : std::optional(found->second);
}

std::string shape_text(std::span<const int64_t> shape) {
  std::string out = "[";
  for (const int64_t extent : shape) out += (out.size() > 1 ? ", " : "") + std::to_string(extent);
  return out + "]";
}

/// Where the checksum's digits stand in the header's text, told by a key that JSON allows only there.
size_t checksum_position(const std::string& header) {
  const std::string key = std::string("\"") + kChecksum + "\":\"";
  const size_t at = header.rfind(key);
  return at == std::string::npos || at + key.size() + 64 > header.size() ? std::string::npos
                                                                         : at + key.size();
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, std::span<const TensorToSave> tensors,
                       std::map<std::string, std::string> metadata) {
  Json header;
  // The checksum stands last in the metadata, and the metadata last in the header: checksum_position relies
  // on it.
  uint64_t offset = 0;
  for (const TensorToSave& tensor : tensors) {
    uint64_t bytes = size_of(tensor.dtype);
    for (const int64_t extent : tensor.shape) bytes *= static_cast<uint64_t>(extent);
    header[tensor.name] = {{"dtype", format_name(tensor.dtype)},
                           {"shape", tensor.shape},
                           {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  metadata.erase(kChecksum);
  header[kMetadata] = metadata;
  header[kMetadata][kChecksum] = kNoChecksum;

  std::string text = header.dump(-1, ' ', false, Json::error_handler_t::replace);
  text.append((8 - text.size() % 8) % 8, ' ');
  Sha256 sum;
  sum.update(text);
  for (const TensorToSave& tensor : tensors) {
    const auto& ends = header[tensor.name]["data_offsets"];
    sum.update(tensor.data, ends[1].get<uint64_t>() - ends[0].get<uint64_t>());
  }
  text.replace(checksum_position(text), 64, sum.hex());

  AtomicFile file(path);
  const uint64_t length = text.size();
  file.write(&length, sizeof(length));
  file.write(text);
  for (const TensorToSave& tensor : tensors) {
    const auto& ends = header[tensor.name]["data_offsets"];
    file.write(tensor.data, ends[1].get<uint64_t>() - ends[0].get<uint64_t>());
  }
  file.commit();
}

SafetensorsFile::SafetensorsFile(std::filesystem::path path) : path_(std::move(path)) {
  const auto fail = [&](const std::string& what, const std::string& advice = "") {
    throw FileError(path_.string(), what, advice);
  };
  std::error_code code;
  if (!std::filesystem::exists(path_, code)) fail("does not exist");
  if (!std::filesystem::is_regular_file(path_, code)) fail("is not a file");
  const uint64_t size = std::filesystem::file_size(path_, code);
  std::ifstream in(path_, std::ios::binary);
  if (code || !in) fail("cannot be read", "Check its permissions.");

  const char* foreign = "A safetensors file (.safetensors) is expected here.";
  uint64_t length = 0;
  if (size < sizeof(length))
    fail(text("is ", size, " bytes long, too short for a safetensors file"), foreign);
  in.read(reinterpret_cast<char*>(&length), sizeof(length));
  if (!in) fail("cannot be read");
  if (length > kLargestHeader || length < 2)
    fail(text("is not a safetensors file: its header would be ", length, " bytes long"), foreign);
  if (length > size - sizeof(length))
    fail(text("is truncated, or not a safetensors file: the header should take ", length, " bytes, but only ",
              size - sizeof(length), " follow"),
         "Copy it anew from where it came from; a run's other checkpoint may still be whole.");
  header_.resize(length);
  in.read(header_.data(), static_cast<std::streamsize>(length));
  if (!in) fail("cannot be read");
  data_begin_ = sizeof(length) + length;
  data_bytes_ = size - data_begin_;

  const Json header = Json::parse(header_, nullptr, /*allow_exceptions=*/false);
  if (!header.is_object()) fail("is not a safetensors file: its header is not a JSON object", foreign);
  const auto unsigned_pair = [](const Json& value) {
    return value.is_array() && value.size() == 2 && value[0].is_number_unsigned() &&
           value[1].is_number_unsigned();
  };
  for (const auto& [name, value] : header.items()) {
    if (name == kMetadata) {
      if (!value.is_object()) fail("has a damaged header: __metadata__ is not an object");
      for (const auto& [key, entry] : value.items()) {
        if (!entry.is_string()) fail(text("has a damaged header: metadata '", key, "' is not text"));
        metadata_[key] = entry.get<std::string>();
      }
      continue;
    }
    const std::string damaged = text("has a damaged header at tensor '", name, "': ");
    if (!value.is_object() || !value.contains("dtype") || !value.contains("shape") ||
        !value.contains("data_offsets"))
      fail(damaged + "dtype, shape or data_offsets is missing");
    if (!value["dtype"].is_string() || !element_bytes(value["dtype"].get<std::string>()))
      fail(damaged + "unknown dtype " + value["dtype"].dump(-1, ' ', true, Json::error_handler_t::replace));
    if (!value["shape"].is_array() || !unsigned_pair(value["data_offsets"]))
      fail(damaged + "shape or data_offsets is not a list of whole numbers");
    Entry entry{value["dtype"].get<std::string>(), {}, value["data_offsets"][0], value["data_offsets"][1]};
    uint64_t bytes = *element_bytes(entry.dtype);
    for (const Json& extent : value["shape"]) {
      uint64_t product = 0;
      if (!extent.is_number_unsigned() || extent.get<uint64_t>() > INT64_MAX ||
          __builtin_mul_overflow(bytes, extent.get<uint64_t>(), &product))
        fail(damaged + "its shape is impossible");
      bytes = product;
      entry.shape.push_back(extent.get<int64_t>());
    }
    if (entry.end < entry.begin || entry.end - entry.begin != bytes)
      fail(text(damaged, "shape ", shape_text(entry.shape), " of ", entry.dtype, " needs ", bytes,
                " bytes, but its place is ", entry.begin, " to ", entry.end));
    entries_[name] = std::move(entry);
  }

  std::vector<std::pair<uint64_t, uint64_t>> places;
  for (const auto& [name, entry] : entries_) places.emplace_back(entry.begin, entry.end);
  std::sort(places.begin(), places.end());
  uint64_t next = 0;
  for (const auto& [begin, end] : places) {
    if (begin != next) fail(text("has a damaged header: tensors overlap or leave a gap at byte ", next));
    next = end;
  }
  if (next > data_bytes_)
    fail(text("is truncated: ", next, " bytes of tensors are promised, ", data_bytes_, " are there"),
         "It was cut off while being copied or written; a run's other checkpoint may still be whole.");
  if (next < data_bytes_) fail(text("has ", data_bytes_ - next, " bytes more than its header accounts for"));
}

void SafetensorsFile::verify_checksum() const {
  const auto stored = metadata_.find(kChecksum);
  const size_t at = checksum_position(header_);
  if (stored == metadata_.end() || at == std::string::npos || header_.compare(at, 64, stored->second) != 0)
    throw FileError(path_.string(), "carries no checksum, so it was not written by laban or is damaged");
  std::string header = header_;
  header.replace(at, 64, kNoChecksum);
  Sha256 sum;
  sum.update(header);
  std::ifstream in(path_, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(data_begin_));
  std::vector<char> buffer(1 << 20);
  for (uint64_t left = data_bytes_; left > 0;) {
    const uint64_t part = std::min<uint64_t>(left, buffer.size());
    in.read(buffer.data(), static_cast<std::streamsize>(part));
    if (!in) throw FileError(path_.string(), "cannot be read to its end");
    sum.update(buffer.data(), part);
    left -= part;
  }
  if (sum.hex() != stored->second)
    throw FileError(path_.string(), "is damaged: its contents do not match its checksum",
                    "Copy it anew from where it came from; a run's other checkpoint may still be whole.");
}

std::vector<char> SafetensorsFile::bytes_of(const std::string& name, std::span<const int64_t> shape) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) throw FileError(path_.string(), text("holds no tensor '", name, "'"));
  const Entry& entry = found->second;
  if (!std::ranges::equal(entry.shape, shape))
    throw FileError(path_.string(), text("tensor '", name, "' has shape ", shape_text(entry.shape), ", but ",
                                         shape_text(shape), " is needed"));
  std::vector<char> bytes(entry.end - entry.begin);
  std::ifstream in(path_, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(data_begin_ + entry.begin));
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!in) throw FileError(path_.string(), text("tensor '", name, "' cannot be read"));
  return bytes;
}

template <class T>
std::vector<T> SafetensorsFile::values(const std::string& name, std::span<const int64_t> shape) const {
  const std::vector<char> bytes = bytes_of(name, shape);
  const std::string& dtype = entries_.at(name).dtype;
  const auto convert = [&]<class From>(From) {
    std::vector<T> out(bytes.size() / sizeof(From));
    for (size_t i = 0; i < out.size(); ++i) {
      From value;
      std::memcpy(&value, bytes.data() + i * sizeof(From), sizeof(From));
      if constexpr (std::is_same_v<From, BFloat16>)
        out[i] = static_cast<T>(static_cast<float>(value));
      else
        out[i] = static_cast<T>(value);
    }
    return out;
  };
  if (dtype == "F32") return convert(float{});
  if (dtype == "F64") return convert(double{});
  if (dtype == "BF16") return convert(BFloat16{});
  throw FileError(path_.string(), text("tensor '", name, "' is ", dtype, ", but F32, F64 or BF16 is needed"));
}

std::vector<float> SafetensorsFile::floats(const std::string& name, std::span<const int64_t> shape) const {
  return values<float>(name, shape);
}

std::vector<double> SafetensorsFile::doubles(const std::string& name, std::span<const int64_t> shape) const {
  return values<double>(name, shape);
}

}  // namespace laban
