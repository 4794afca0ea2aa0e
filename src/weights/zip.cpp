#include "weights/zip.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "core/error.h"
#include "weights/crc32.h"

namespace laban {
namespace {

// Signatures and lengths of the format's records (APPNOTE.TXT, 4.3).
constexpr uint32_t kLocal = 0x04034b50, kDirectory = 0x02014b50, kEnd = 0x06054b50, kEnd64 = 0x06064b50,
                   kEnd64Locator = 0x07064b50;
constexpr size_t kLocalBytes = 30, kDirectoryBytes = 46, kEndBytes = 22, kEnd64Bytes = 56,
                 kEnd64LocatorBytes = 20, kLongestComment = 65535;
constexpr uint32_t kIn64 = 0xffffffff;  // the true number is in a 64-bit field elsewhere
constexpr size_t kAlignment = 64;
constexpr uint64_t kLargestDirectory = uint64_t{64} << 20;  // of files of weights: some hundred kilobytes

template <class T>
T number_at(std::span<const std::byte> bytes, uint64_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

template <class T>
void append(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

/// Reads a 64-bit number from an entry's extra fields if the 32-bit one refers to it.
class Zip64Fields {
 public:
  explicit Zip64Fields(std::span<const std::byte> extra) {
    while (extra.size() >= 4) {
      const auto id = number_at<uint16_t>(extra, 0), bytes = number_at<uint16_t>(extra, 2);
      if (bytes > extra.size() - 4) return;
      if (id == 1) fields_ = extra.subspan(4, bytes);
      extra = extra.subspan(4 + bytes);
    }
  }
  /// False where it is missing.
  bool resolve(uint32_t narrow, uint64_t& wide) {
    wide = narrow;
    if (narrow != kIn64) return true;
    if (fields_.size() < 8) return false;
    wide = number_at<uint64_t>(fields_, 0);
    fields_ = fields_.subspan(8);
    return true;
  }

 private:
  std::span<const std::byte> fields_;
};

}  // namespace

bool ZipReader::recognizes(std::span<const std::byte> begin) {
  return begin.size() >= 4 && number_at<uint32_t>(begin, 0) == kLocal;
}

ZipReader::ZipReader(FileBytes file) : file_(std::move(file)) {
  const auto damaged = [&](const std::string& what) {
    throw FileError(file_.path().string(), "is a truncated or damaged zip file: " + what,
                    "Download or copy it again.");
  };
  if (file_.size() < kEndBytes) damaged("it has no directory");
  // The end of the file: a comment may follow the record that is looked for, the locator stands before it.
  const uint64_t tail_at =
      file_.size() - std::min<uint64_t>(file_.size(), kEnd64LocatorBytes + kEndBytes + kLongestComment);
  const std::vector<std::byte> tail = file_.read(tail_at, UINT64_MAX);
  const size_t last = tail.size() - kEndBytes;
  const size_t first = last - std::min(last, kLongestComment);
  size_t found = last + 1;
  for (size_t at = last + 1; at-- > first;)
    if (number_at<uint32_t>(tail, at) == kEnd &&
        number_at<uint16_t>(tail, at + 20) == tail.size() - at - kEndBytes) {
      found = at;
      break;
    }
  if (found > last) damaged("it has no directory");

  uint64_t count = number_at<uint16_t>(tail, found + 10);
  uint64_t size = number_at<uint32_t>(tail, found + 12);
  uint64_t begin = number_at<uint32_t>(tail, found + 16);
  if (found >= kEnd64LocatorBytes && number_at<uint32_t>(tail, found - kEnd64LocatorBytes) == kEnd64Locator) {
    const auto at = number_at<uint64_t>(tail, found - kEnd64LocatorBytes + 8);
    const std::vector<std::byte> end64 =
        at <= file_.size() ? file_.read(at, kEnd64Bytes) : std::vector<std::byte>();
    if (end64.size() < kEnd64Bytes || number_at<uint32_t>(end64, 0) != kEnd64)
      damaged("its 64-bit directory is not at the expected position");
    count = number_at<uint64_t>(end64, 32);
    size = number_at<uint64_t>(end64, 40);
    begin = number_at<uint64_t>(end64, 48);
  }
  const uint64_t end = tail_at + found;
  if (begin > end || size > end - begin) damaged("its directory is not within the file");
  if (size > kLargestDirectory) damaged(text("its directory would take ", size, " bytes"));
  read_directory(begin, size, count);
}

void ZipReader::read_directory(uint64_t begin, uint64_t size, uint64_t count) {
  const auto fail = [&](const std::string& what, const std::string& advice = "") {
    throw FileError(file_.path().string(), what, advice);
  };
  const std::vector<std::byte> bytes = file_.read(begin, size);
  const std::span<const std::byte> directory(bytes);
  uint64_t at = 0;
  for (uint64_t i = 0; i < count; ++i) {
    if (directory.size() - at < kDirectoryBytes || number_at<uint32_t>(directory, at) != kDirectory)
      fail(text("is a damaged zip file: its directory should list ", count, " entries, entry ", i + 1,
                " is not one"));
    const auto flags = number_at<uint16_t>(directory, at + 8);
    const auto method = number_at<uint16_t>(directory, at + 10);
    const auto name_bytes = number_at<uint16_t>(directory, at + 28);
    const auto extra_bytes = number_at<uint16_t>(directory, at + 30);
    const uint64_t all = kDirectoryBytes + name_bytes + extra_bytes + number_at<uint16_t>(directory, at + 32);
    if (directory.size() - at < all) fail("is a damaged zip file: its directory is cut off");
    std::string name(reinterpret_cast<const char*>(directory.data() + at + kDirectoryBytes), name_bytes);
    const auto damaged = [&](const std::string& what) {
      fail(text("is a damaged zip file: entry '", name, "' ", what));
    };
    if (flags & 1) fail(text("is an encrypted zip file (entry '", name, "')"));
    Zip64Fields wide(directory.subspan(at + kDirectoryBytes + name_bytes, extra_bytes));
    uint64_t unpacked = 0, packed = 0, local = 0;
    if (!wide.resolve(number_at<uint32_t>(directory, at + 24), unpacked) ||
        !wide.resolve(number_at<uint32_t>(directory, at + 20), packed) ||
        !wide.resolve(number_at<uint32_t>(directory, at + 42), local))
      damaged("lacks its 64-bit sizes");
    if (method == 0 && packed != unpacked) damaged("has two sizes");
    // Entries end before the directory begins.
    std::array<std::byte, kLocalBytes> header{};
    if (local > begin || begin - local < kLocalBytes) damaged("is not where the directory says");
    file_.read(local, header);
    if (number_at<uint32_t>(header, 0) != kLocal) damaged("is not where the directory says");
    const uint64_t data =
        local + kLocalBytes + number_at<uint16_t>(header, 26) + number_at<uint16_t>(header, 28);
    if (data > begin || begin - data < packed) damaged("extends beyond the file's data");
    const Entry entry{data, packed, number_at<uint32_t>(directory, at + 16), method != 0};
    if (!entries_.emplace(std::move(name), entry).second)
      fail(text("is a damaged zip file: two entries have the same name, number ", i + 1, " again"));
    at += all;
  }
}

const ZipReader::Entry* ZipReader::find(std::string_view name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : &found->second;
}

void ZipReader::verify(const std::string& name, const Entry& entry) const {
  if (entry.compressed)
    throw FileError(file_.path().string(),
                    text("has a compressed entry ('", name, "'), but torch.save does not compress"),
                    "Repack it without compression (zip -0), or save it again with torch.save.");
  uint32_t crc = 0;
  file_.for_each_piece(entry.at, entry.size,
                       [&](std::span<const std::byte> piece) { crc = crc32(piece, crc); });
  if (crc != entry.crc)
    throw FileError(file_.path().string(),
                    text("is damaged: the checksum of entry '", name, "' does not match"),
                    "Download or copy it again.");
}

void ZipWriter::add(const std::string& name, std::span<const std::byte> bytes) {
  const uint64_t start = position_;
  const size_t header = kLocalBytes + name.size() + 4;  // 4: the padding is an extra field with a head
  const size_t padding = (kAlignment - (start + header) % kAlignment) % kAlignment;
  if (bytes.size() >= kIn64 || start + header + padding + bytes.size() >= kIn64 ||
      count_ == std::numeric_limits<uint16_t>::max())
    throw Error("the weights need more than 4 GiB, the limit of .pt files written by laban",
                "Write a .safetensors file instead.");
  const auto size = static_cast<uint32_t>(bytes.size());
  const uint32_t crc = crc32(bytes);

  // Common to the local header and the directory, from "version needed" to the name's length.
  std::string common;
  append<uint16_t>(common, 20);      // version 2.0
  append<uint16_t>(common, 0x0800);  // names are UTF-8
  append<uint16_t>(common, 0);       // stored
  append<uint16_t>(common, 0);       // time: midnight
  append<uint16_t>(common, 0x21);    // date: 1 January 1980, so that equal weights give equal files
  append<uint32_t>(common, crc);
  append<uint32_t>(common, size);
  append<uint32_t>(common, size);
  append(common, static_cast<uint16_t>(name.size()));

  std::string local;
  append(local, kLocal);
  local += common;
  append(local, static_cast<uint16_t>(4 + padding));
  local += name;
  append<uint16_t>(local, 0x4246);  // the extra field that PyTorch pads with as well ("FB")
  append(local, static_cast<uint16_t>(padding));
  local.append(padding, '\0');
  file_.write(local);
  file_.write(bytes.data(), bytes.size());
  position_ += local.size() + bytes.size();

  append(directory_, kDirectory);
  append<uint16_t>(directory_, 20);  // made by: version 2.0
  directory_ += common;
  directory_.append(12, '\0');  // no extra field, no comment, disk 0, no attributes
  append(directory_, static_cast<uint32_t>(start));
  directory_ += name;
  ++count_;
}

void ZipWriter::finish() {
  std::string end;
  append(end, kEnd);
  append<uint32_t>(end, 0);  // a single disk
  append(end, count_);
  append(end, count_);
  append(end, static_cast<uint32_t>(directory_.size()));
  append(end, static_cast<uint32_t>(position_));
  append<uint16_t>(end, 0);
  file_.write(directory_);
  file_.write(end);
  file_.commit();
}

}  // namespace laban
