// libFuzzer target: any bytes as a shard of a cache, as a shard's table (whose checksum would otherwise
// reject any mutation), and as the only frame of a valid shard.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/error.h"
#include "core/hash.h"
#include "data/cache/shard.h"
#include "data/video/byte_code.h"
#include "fuzz/look_at.h"
#include "fuzz/memory_file.h"

namespace {
using namespace laban;

std::span<const uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

void read(std::span<const uint8_t> bytes) {
  const fuzz::MemoryFile file(bytes);
  static ShardReader reader;
  static fuzz::Viewer view;
  try {
    const Shard shard(file.path());
    for (const ShardClip& clip : shard.clips()) {
      const std::vector<int64_t> wanted{0, clip.frame_count() - 1};
      try {
        reader.read(shard, clip, wanted, [&](int64_t, const Frame& frame) { view(frame); });
      } catch (const FileError&) {
      }
    }
  } catch (const FileError&) {
  }
}

/// A file of these frames and this table, with a tail that fits.
std::string shard_of(const std::string& frames, const std::string& table) {
  const uint64_t tail[] = {frames.size(), table.size(), fnv1a(std::as_bytes(std::span(table))),
                           0x0102030405060708};
  return frames + table + std::string(reinterpret_cast<const char*>(tail), sizeof(tail)) + "LABANSH1";
}

/// A table of one clip with one frame of `bytes` bytes, w x h pixels.
std::string table_of(ShardCoding coding, uint64_t width, uint64_t height, const std::string& frame) {
  ByteWriter to;
  to.number(1), to.number(static_cast<uint64_t>(coding)), to.name("fuzzed"), to.number(1);
  to.name("clip"), to.number(0), to.signed_number(0), to.signed_number(0), to.real(25);
  to.number(width), to.number(height), to.number(0), to.number(0);
  to.number(1), to.number(0), to.number(frame.size());
  to.number(fnv1a(std::as_bytes(std::span(frame))));
  return to.take();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  read({data, size});
  const std::string all(reinterpret_cast<const char*>(data), size);
  read(bytes_of(shard_of(std::string(64, '\x40'), all)));
  if (size < 3) return 0;
  const std::string frame = all.substr(3);
  const auto coding = data[0] & 1 ? ShardCoding::raw : ShardCoding::jpeg;
  read(bytes_of(shard_of(frame, table_of(coding, data[1], data[2], frame))));
  return 0;
}
