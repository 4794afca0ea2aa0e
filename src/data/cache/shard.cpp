// The file: frames, one after the other; a table of the clips; and a tail of fixed size with the table's
// position.
#include "data/cache/shard.h"

#include <turbojpeg.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "core/hash.h"
#include "core/machine_error.h"
#include "data/dataset/filename_pattern.h"
#include "data/picture/decode_limits.h"
#include "data/video/byte_code.h"

namespace laban {
namespace {

/// The current format. Version 1 had no times.
constexpr uint64_t kVersion = 2;
constexpr uint64_t kMostTableBytes = uint64_t{1} << 30;  // 24 bytes or so a frame

struct Tail {
  uint64_t table = 0, table_bytes = 0, table_checksum = 0;
  uint64_t order = 0x0102030405060708;  // reveals the byte order
  std::array<char, 8> magic{'L', 'A', 'B', 'A', 'N', 'S', 'H', '1'};
};

void write_clip(ByteWriter& to, const ShardClip& c) {
  to.name(c.name);
  to.number(c.source.bytes), to.signed_number(c.source.changed);
  to.signed_number(c.first_frame), to.real(c.fps);
  to.number(static_cast<uint64_t>(c.width)), to.number(static_cast<uint64_t>(c.height));
  to.number(static_cast<uint64_t>(c.rotation));
  to.number(static_cast<uint64_t>(c.mirror | c.full_range << 1 | static_cast<int>(c.matrix) << 2));
  to.number(c.checksum.size());
  to.number(c.offset.front());
  for (size_t k = 0; k < c.checksum.size(); ++k) {
    to.number(c.offset[k + 1] - c.offset[k]);
    to.number(c.checksum[k]);
  }
  to.number(c.times.size());
  for (const double time : c.times) to.real(time);
}

ShardClip read_clip(ByteReader& from, uint64_t version) {
  ShardClip c{.name = from.name()};
  c.source.bytes = from.number(), c.source.changed = from.signed_number();
  c.first_frame = from.signed_number(), c.fps = from.real();
  c.width = static_cast<int>(from.number()), c.height = static_cast<int>(from.number());
  c.rotation = static_cast<int>(from.number());
  const uint64_t flags = from.number();
  c.mirror = flags & 1, c.full_range = flags & 2;
  c.matrix = static_cast<ColorMatrix>(std::min<uint64_t>(2, flags >> 2));
  c.checksum.resize(from.count());
  c.offset.push_back(from.number());
  for (uint64_t& checksum : c.checksum) {
    c.offset.push_back(c.offset.back() + from.number());
    checksum = from.number();
  }
  if (version > 1) c.times.resize(from.count());
  for (double& time : c.times) time = from.real();
  return c;
}

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& what) {
  throw FileError(file.string(), what, "Delete it and run `laban cache` again.");
}

bool is_sane(const ShardClip& c, uint64_t frames_end) {
  const bool turned = c.rotation == 0 || c.rotation == 90 || c.rotation == 180 || c.rotation == 270;
  return c.frame_count() > 0 && c.width > 0 && c.width <= kMaxShardSide && c.height > 0 &&
         c.height <= kMaxShardSide && turned && std::isfinite(c.fps) && c.first_frame >= 0 &&
         c.first_frame <= kMostFrameNumber && std::ranges::is_sorted(c.offset) &&
         (c.times.empty() || c.times.size() == c.checksum.size()) &&
         std::ranges::all_of(c.times, [](double time) { return std::isfinite(time); }) &&
         std::ranges::is_sorted(c.times) && c.offset.back() <= frames_end;
}

/// Fills `out` with what the file holds from `at` on. FileError where it ends before.
void read_all(const RegularFile& file, int64_t at, std::span<uint8_t> out) {
  for (size_t done = 0; done < out.size();) {
    const int64_t got = file.read(at + static_cast<int64_t>(done), out.subspan(done));
    if (got < 0) throw_file_fault(file.path(), "cannot be read", errno, "Check the disk.");
    if (got == 0)
      refuse(file.path(),
             text("the shard was cut short while it was in use: it now has ", file.size(),
                  " bytes, and what is needed ends at byte ", at + static_cast<int64_t>(out.size())));
    done += static_cast<size_t>(got);
  }
}

/// Rows, columns and bytes of plane p of a 4:2:0 picture.
int plane_side(int side, int p) { return p == 0 ? side : (side + 1) / 2; }

}  // namespace

// ---- writing ---------------------------------------------------------------------------------------------

ShardWriter::ShardWriter(const std::filesystem::path& file, ShardCoding coding, std::string made)
    : file_(file), coding_(coding), made_(std::move(made)) {}

void ShardWriter::write(const void* data, size_t bytes) {
  file_.write(data, bytes);
  hash_.update(data, bytes);
  at_ += bytes;
}

void ShardWriter::begin_clip(ShardClip clip) {
  clip.offset = {at_};
  clip.checksum.clear();
  clips_.push_back(std::move(clip));
}

void ShardWriter::add_frame(std::span<const uint8_t> bytes) {
  require(!clips_.empty(), "ShardWriter::add_frame: no clip was begun");
  write(bytes.data(), bytes.size());
  clips_.back().offset.push_back(at_);
  clips_.back().checksum.push_back(fnv1a(std::as_bytes(bytes)));
}

void ShardWriter::take_back(const std::string& name) {
  if (!clips_.empty() && clips_.back().name == name) clips_.pop_back();
}

std::string ShardWriter::commit() {
  ByteWriter table;
  table.number(kVersion);
  table.number(static_cast<uint64_t>(coding_));
  table.name(made_);
  table.number(clips_.size());
  for (const ShardClip& clip : clips_) write_clip(table, clip);
  const std::string bytes = table.take();
  Tail tail;
  tail.table = at_, tail.table_bytes = bytes.size();
  tail.table_checksum = fnv1a(std::as_bytes(std::span(bytes.data(), bytes.size())));
  write(bytes.data(), bytes.size());
  write(&tail, sizeof(tail));
  file_.commit();
  return hash_.hex();
}

// ---- reading ---------------------------------------------------------------------------------------------

Shard::Shard(const std::filesystem::path& file) : file_(file) {
  const RegularFile opened(file);
  bytes_ = opened.size();
  Tail tail;
  const Tail expected;
  if (bytes_ < static_cast<int64_t>(sizeof(tail))) refuse(file, "is not a shard of a cache: too short");
  std::array<uint8_t, sizeof(tail)> end{};
  read_all(opened, bytes_ - static_cast<int64_t>(end.size()), end);
  std::memcpy(&tail, end.data(), end.size());
  if (tail.magic != expected.magic || tail.order != expected.order)
    refuse(file, "is not a shard of a cache, or is truncated");
  const uint64_t space = static_cast<uint64_t>(bytes_) - sizeof(tail);
  if (tail.table > space || tail.table_bytes > space - tail.table)
    refuse(file, "the shard's table is outside the file");
  if (tail.table_bytes > kMostTableBytes) refuse(file, "the shard's table is too large to be one");
  std::vector<uint8_t> buffer(tail.table_bytes);
  read_all(opened, static_cast<int64_t>(tail.table), buffer);
  const auto table = std::as_bytes(std::span(buffer));
  if (fnv1a(table) != tail.table_checksum) refuse(file, "the shard's table is damaged");
  ByteReader from(table);
  const uint64_t version = from.number();
  if (version < 1 || version > kVersion) refuse(file, "the shard has a different format version");
  coding_ = from.number() == 0 ? ShardCoding::jpeg : ShardCoding::raw;
  made_ = from.name();
  for (size_t left = from.count(); left > 0 && from.ok(); --left) {
    clips_.push_back(read_clip(from, version));
    if (!is_sane(clips_.back(), tail.table)) refuse(file, "the shard's table is inconsistent");
  }
  if (!from.ok()) refuse(file, "the shard's table is incomplete");
}

const ShardClip& Shard::clip(const std::string& name) const {
  const auto found = std::ranges::find(clips_, name, &ShardClip::name);
  if (found == clips_.end()) refuse(file(), "the shard does not contain the clip \"" + name + "\"");
  return *found;
}

RegularFile Shard::open() const { return RegularFile(file_); }

void Shard::require_unchanged(const RegularFile& opened) const {
  if (const int64_t now = opened.size(); now != bytes_)
    refuse(file_,
           text("the shard has changed while it was in use: it had ", bytes_, " bytes and now has ", now));
}

std::span<const uint8_t> Shard::frame(const RegularFile& opened, const ShardClip& clip, int64_t k,
                                      std::vector<uint8_t>& buffer) const {
  const auto i = static_cast<size_t>(k);
  buffer.resize(clip.offset[i + 1] - clip.offset[i]);
  read_all(opened, static_cast<int64_t>(clip.offset[i]), buffer);
  if (fnv1a(std::as_bytes(std::span(buffer))) != clip.checksum[i]) {
    require_unchanged(opened);
    refuse(file(),
           text("frame ", k, " of the clip \"", clip.name, "\" is damaged: its checksum does not match"));
  }
  return buffer;
}

std::string Shard::verify() const {
  const RegularFile opened = open();
  std::vector<uint8_t> buffer;
  for (const ShardClip& clip : clips_)
    for (int64_t k = 0; k < clip.frame_count(); ++k) static_cast<void>(frame(opened, clip, k, buffer));
  Sha256 hash;
  constexpr int64_t kPiece = 1 << 20;
  for (int64_t at = 0; at < bytes_; at += kPiece) {
    buffer.resize(static_cast<size_t>(std::min(kPiece, bytes_ - at)));
    read_all(opened, at, buffer);
    hash.update(buffer.data(), buffer.size());
  }
  return hash.hex();
}

struct ShardReader::Jpeg {
  struct Free {
    void operator()(void* handle) const { tjDestroy(handle); }
  };
  std::unique_ptr<void, Free> handle{tjInitDecompress()};
  std::vector<uint8_t> bytes, pixels;
};

ShardReader::ShardReader() : jpeg_(std::make_unique<Jpeg>()) {}
ShardReader::~ShardReader() = default;
ShardReader::ShardReader(ShardReader&&) noexcept = default;

void ShardReader::read(const Shard& shard, const ShardClip& clip, std::span<const int64_t> wanted,
                       const std::function<void(int64_t, const Frame&)>& sink) {
  if (const int64_t most = decode_limits().pixels; int64_t{clip.width} * clip.height > most)
    refuse(shard.file(), text("the clip \"", clip.name, "\" claims to be ", clip.width, "x", clip.height,
                              " pixels, more than the ", most, " allowed (--max-pixels)"));
  Frame frame;
  frame.width = clip.width, frame.height = clip.height;
  frame.matrix = clip.matrix, frame.full_range = clip.full_range;
  frame.rotation = clip.rotation, frame.mirror = clip.mirror;
  size_t total = 0;
  std::array<size_t, 3> offset{};
  for (size_t p = 0; p < 3; ++p) {
    frame.stride[p] = plane_side(clip.width, static_cast<int>(p));
    offset[p] = total;
    total += static_cast<size_t>(frame.stride[p]) * plane_side(clip.height, static_cast<int>(p));
  }
  if (shard.coding() == ShardCoding::jpeg) jpeg_->pixels.resize(total);
  const RegularFile opened = shard.open();
  int64_t last = -1;
  for (const int64_t k : wanted) {
    require(k >= last && k >= 0 && k < clip.frame_count(),
            "ShardReader::read: frame numbers must ascend within [0, frame_count)");
    if (k == last) continue;
    last = k;
    const std::span<const uint8_t> bytes = shard.frame(opened, clip, k, jpeg_->bytes);
    if (shard.coding() == ShardCoding::raw) {
      if (bytes.size() != total)
        refuse(shard.file(), text("frame ", k, " of ", clip.name, " has the wrong size"));
      for (size_t p = 0; p < 3; ++p) frame.plane[p] = bytes.data() + offset[p];
    } else {
      require_few_scans(shard.file(), bytes, clip.width, clip.height);
      const auto size = static_cast<unsigned long>(bytes.size());
      int width = 0, height = 0, subsampling = 0, colors = 0;
      std::array<unsigned char*, 3> to{};
      for (size_t p = 0; p < 3; ++p) frame.plane[p] = to[p] = jpeg_->pixels.data() + offset[p];
      const bool good = tjDecompressHeader3(jpeg_->handle.get(), bytes.data(), size, &width, &height,
                                            &subsampling, &colors) == 0 &&
                        width == clip.width && height == clip.height && subsampling == TJSAMP_420 &&
                        tjDecompressToYUVPlanes(jpeg_->handle.get(), bytes.data(), size, to.data(), width,
                                                frame.stride.data(), height, 0) == 0;
      const std::string why = good ? "" : tjGetErrorStr2(jpeg_->handle.get());
      if (why.find("Insufficient memory") != std::string::npos) throw_out_of_memory(shard.file());
      if (!good) refuse(shard.file(), text("frame ", k, " of ", clip.name, " does not decode (", why, ")"));
    }
    sink(k, frame);
  }
}

}  // namespace laban
