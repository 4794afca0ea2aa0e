#include "core/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/sha256.h"

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

namespace laban {
namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t kLargestHeader = 100'000'000;  // as the format's own readers have it
constexpr const char* kChecksum = "sha256";
const std::string kNoChecksum(64, '0');

/// Where the checksum's digits stand in the header's text, told by a key that JSON allows only there.
size_t checksum_position(std::string_view header) {
  const std::string key = std::string("\"") + kChecksum + "\":\"";
  const size_t at = header.rfind(key);
  return at == std::string::npos || at + key.size() + 64 > header.size() ? std::string::npos
                                                                         : at + key.size();
}

/// The values of `bytes` bytes of the file, decoded piece by piece.
template <class Value>
std::vector<Value> decoded(const FileBytes& file, ElementType type, uint64_t at, uint64_t bytes) {
  std::vector<Value> values(bytes / size_of(type));
  std::span<Value> rest(values);
  file.for_each_piece(at, bytes, [&](std::span<const std::byte> piece) {
    const size_t count = piece.size() / size_of(type);  // a piece holds whole elements, of 8 bytes at most
    decode(type, piece.data(), rest.first(count));
    rest = rest.subspan(count);
  });
  return values;
}

}  // namespace

uint64_t TensorToSave::bytes() const {
  uint64_t count = 1;
  for (const int64_t extent : shape) count *= static_cast<uint64_t>(extent);
  return count * size_of(type);
}

void write_safetensors(const std::filesystem::path& path, std::span<const TensorToSave> tensors,
                       std::map<std::string, std::string> metadata) {
  std::vector<const TensorToSave*> ordered;
  for (const TensorToSave& tensor : tensors) ordered.push_back(&tensor);
  std::ranges::stable_sort(ordered, std::greater<>(), [](const TensorToSave* t) { return size_of(t->type); });

  // The checksum stands last in the metadata, and the metadata last in the header: checksum_position relies
  // on it.
  Json header;
  uint64_t offset = 0;
  for (const TensorToSave* tensor : ordered) {
    header[tensor->name] = {{"dtype", name_of(tensor->type)},
                            {"shape", tensor->shape},
                            {"data_offsets", {offset, offset + tensor->bytes()}}};
    offset += tensor->bytes();
  }
  metadata.erase(kChecksum);
  header["__metadata__"] = metadata;
  header["__metadata__"][kChecksum] = kNoChecksum;

  std::string text = header.dump(-1, ' ', false, Json::error_handler_t::replace);
  text.append((8 - text.size() % 8) % 8, ' ');
  Sha256 sum;
  sum.update(text);
  for (const TensorToSave* tensor : ordered) sum.update(tensor->data, tensor->bytes());
  text.replace(checksum_position(text), 64, sum.hex());

  AtomicFile file(path);
  const uint64_t length = text.size();
  file.write(&length, sizeof(length));
  file.write(text);
  for (const TensorToSave* tensor : ordered) file.write(tensor->data, tensor->bytes());
  file.commit();
}

namespace {

/// How well-known kinds of files begin, and what they are.
struct Kind {
  size_t at;
  std::string_view bytes, name;
  bool shows = false;  // something to classify
};
constexpr std::array kKinds{
    Kind{4, "ftyp", "a video (MP4 or MOV)", true},
    Kind{0, "\x1a\x45\xdf\xa3", "a video (Matroska or WebM)", true},
    Kind{8, "AVI ", "a video (AVI)", true},
    Kind{0, "FLV", "a video (FLV)", true},
    Kind{0, {"\0\0\1\xba", 4}, "a video (MPEG)", true},
    Kind{0, "GIF8", "a picture or video (GIF)", true},
    Kind{0, "\xff\xd8\xff", "a picture (JPEG)", true},
    Kind{0, "\x89PNG", "a picture (PNG)", true},
    Kind{0, "\x89HDF", "an HDF5 file, as Keras writes"},
    Kind{0, "\x1f\x8b", "packed with gzip"},
    Kind{0, "BZh", "packed with bzip2"},
    Kind{0,
         "\xfd"
         "7zXZ",
         "packed with xz"},
    Kind{0, "Rar!", "a RAR archive"},
    Kind{0, "7z\xbc\xaf", "a 7-zip archive"},
    Kind{0, "<!DOCTYPE", "a page of HTML, perhaps one that stood in place of a download"},
    Kind{0, "<!doctype", "a page of HTML, perhaps one that stood in place of a download"},
    Kind{0, "<html", "a page of HTML, perhaps one that stood in place of a download"},
    Kind{0, "version https://git-lfs", "a pointer to a file that git-lfs has not fetched"},
    Kind{0, "# All settings of a laban run", "the settings of a run, not its weights"},
};

const Kind* kind_of(std::span<const std::byte> bytes) {
  const auto found = std::ranges::find_if(kKinds, [&](const Kind& kind) {
    return bytes.size() >= kind.at + kind.bytes.size() &&
           std::memcmp(bytes.data() + kind.at, kind.bytes.data(), kind.bytes.size()) == 0;
  });
  return found == kKinds.end() ? nullptr : &*found;
}

/// ", but a video (MP4 or MOV)"; empty where nobody knows.
std::string but_is(std::span<const std::byte> bytes) {
  const Kind* kind = kind_of(bytes);
  return kind ? text(", but ", kind->name) : bytes.empty() ? std::string(": it is empty") : std::string();
}
std::string advice_for(std::span<const std::byte> bytes, std::string advice) {
  const Kind* kind = kind_of(bytes);
  return kind && kind->shows
             ? advice + " What is to be classified stands alone: laban predict VIDEO --checkpoint FILE."
             : advice;
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : SafetensorsFile(FileBytes(path)) {}

SafetensorsFile::SafetensorsFile(FileBytes file) : file_(std::move(file)) {
  const auto fail = [&](const std::string& what, const std::string& advice) {
    throw FileError(path().string(), what, advice);
  };
  const char* foreign =
      "Give a checkpoint of laban, a .safetensors file, or weights that PyTorch saved (.pt, .pth).";
  const uint64_t size = file_.size();
  uint64_t length = 0;
  const std::vector<std::byte> begin_of_file = file_.read(0, 64);
  const std::span begin = std::span(begin_of_file).first(std::min(begin_of_file.size(), sizeof(length) + 1));
  if (begin.size() >= 4 && std::memcmp(begin.data(), "PK\x03\x04", 4) == 0)
    fail("is a zip archive, as PyTorch's torch.save writes, not a safetensors file",
         "PyTorch's weights are read with --weights FILE --model NAME.");
  if (begin.size() <= sizeof(length) || begin.back() != std::byte{'{'})  // where every header begins
    fail("is not a safetensors or PyTorch file" + but_is(begin_of_file), advice_for(begin_of_file, foreign));
  std::memcpy(&length, begin.data(), sizeof(length));
  if (length > kLargestHeader || length < 2)
    fail(text("is not a safetensors file: its header would be ", length, " bytes long"), foreign);
  if (length > size - sizeof(length))
    fail(text("is truncated, or not a safetensors file: the header should take ", length, " bytes, but only ",
              size - sizeof(length), " follow"),
         "Copy it anew from where it came from; a run's other checkpoint may still be whole.");
  header_text_.resize(length);
  file_.read(sizeof(length), std::as_writable_bytes(std::span(header_text_)));
  data_at_ = sizeof(length) + length;
  header_ = parse_safetensors_header(header_text_, size - data_at_, path());
}

void SafetensorsFile::verify_checksum() const {
  const auto stored = metadata().find(kChecksum);
  std::string header = header_text_;
  const size_t at = checksum_position(header);
  if (stored == metadata().end() || at == std::string::npos || header.compare(at, 64, stored->second) != 0)
    throw FileError(path().string(), "carries no checksum, so it was not written by laban or is damaged");
  header.replace(at, 64, kNoChecksum);
  Sha256 sum;
  sum.update(header);
  file_.for_each_piece(data_at_, file_.size() - data_at_,
                       [&](std::span<const std::byte> piece) { sum.update(piece.data(), piece.size()); });
  if (sum.hex() != stored->second)
    throw FileError(path().string(), "is damaged: its contents do not match its checksum",
                    "Copy it anew from where it came from; a run's other checkpoint may still be whole.");
}

const SafetensorsFile::Entry& SafetensorsFile::checked(const std::string& name,
                                                       std::span<const int64_t> shape) const {
  const auto found = entries().find(name);
  if (found == entries().end()) throw FileError(path().string(), text("holds no tensor '", name, "'"));
  if (!std::ranges::equal(found->second.shape, shape))
    throw FileError(path().string(), text("tensor '", name, "' has shape ", shape_text(found->second.shape),
                                          ", but ", shape_text({shape.begin(), shape.end()}), " is needed"));
  return found->second;
}

std::vector<double> SafetensorsFile::doubles(const std::string& name, std::span<const int64_t> shape) const {
  const Entry& entry = checked(name, shape);
  if (!is_floating(entry.type) || !is_readable(entry.type))
    throw FileError(path().string(), text("tensor '", name, "' is ", name_of(entry.type),
                                          ", but F64, F32, F16 or BF16 is needed"));
  return decoded<double>(file_, entry.type, position_of(entry), entry.end - entry.begin);
}

std::vector<int64_t> SafetensorsFile::integers(const std::string& name,
                                               std::span<const int64_t> shape) const {
  const Entry& entry = checked(name, shape);
  if (is_floating(entry.type))
    throw FileError(path().string(),
                    text("tensor '", name, "' is ", name_of(entry.type), ", but whole numbers are needed"));
  return decoded<int64_t>(file_, entry.type, position_of(entry), entry.end - entry.begin);
}

}  // namespace laban
