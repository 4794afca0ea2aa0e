// The downscaled frames of several clips in one file: what `laban cache` writes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/regular_file.h"
#include "core/sha256.h"
#include "data/picture/frame.h"
#include "data/video/video_index_store.h"

namespace laban {

constexpr const char* kShardExtension = ".labanshard";
/// The most rows or columns of a picture: JPEG's limit. A table that claims more is damaged.
constexpr int kMaxShardSide = 65500;

enum class ShardCoding : uint8_t {
  jpeg,  // each frame is a 4:2:0 JPEG picture (with the video's colors, not JFIF's)
  raw,   // 8-bit planes Y, U, V, 4:2:0, row by row
};

/// A clip in a shard. Its frames keep their numbers in the source.
struct ShardClip {
  std::string name{};           // in the dataset
  FileStamp source{};           // the source file (zeros for a folder)
  int64_t first_frame = 0;      // number of frame 0 in the source
  double fps = 0;               // of the source; 0: unknown
  std::vector<double> times{};  // of every frame in a source of variable rate, in seconds; else empty
  int width = 0, height = 0;    // as stored
  int rotation = 0;             // as in Frame
  bool mirror = false;
  ColorMatrix matrix = ColorMatrix::bt601;
  bool full_range = false;
  std::vector<uint64_t> offset{};    // of every frame in the file, and of the end of the last
  std::vector<uint64_t> checksum{};  // of every frame's bytes (fnv1a)

  int64_t frame_count() const { return static_cast<int64_t>(checksum.size()); }
  int shown_width() const { return rotation % 180 ? height : width; }
  int shown_height() const { return rotation % 180 ? width : height; }
};

/// Writes a shard; the file does not exist under its name before commit().
class ShardWriter {
 public:
  /// `made`: describes how its clips were made; a shard made differently is not reused.
  ShardWriter(const std::filesystem::path& file, ShardCoding coding, std::string made);
  /// Begins a clip with its description; its frames follow one by one.
  void begin_clip(ShardClip clip);
  void add_frame(std::span<const uint8_t> bytes);
  /// Removes the clip that was begun last, if that is its name, from the shard's table. The bytes of its
  /// frames remain in the file.
  void take_back(const std::string& name);
  /// FileError (a full disk, ...) if the shard cannot be written. Returns its SHA-256.
  std::string commit();

 private:
  void write(const void* data, size_t bytes);

  AtomicFile file_;
  Sha256 hash_;
  ShardCoding coding_;
  std::string made_;
  uint64_t at_ = 0;
  std::vector<ShardClip> clips_;
};

class Shard {
 public:
  /// FileError if the file is not a shard or is truncated, or if its table is damaged.
  explicit Shard(const std::filesystem::path& file);

  const std::filesystem::path& file() const { return file_; }
  ShardCoding coding() const { return coding_; }
  const std::string& made() const { return made_; }
  const std::vector<ShardClip>& clips() const { return clips_; }
  /// FileError if the shard has no clip of that name.
  const ShardClip& clip(const std::string& name) const;
  /// The file, opened anew: shards may outnumber the descriptors that a process may have.
  RegularFile open() const;
  /// A frame's bytes, read from open() into `buffer`. They are read, not mapped, as a mapped file that is cut
  /// short ends the program. FileError if the file ends before them, or their checksum does not match.
  std::span<const uint8_t> frame(const RegularFile& opened, const ShardClip& clip, int64_t k,
                                 std::vector<uint8_t>& buffer) const;
  /// Reads the whole file, verifies the checksum of every frame (FileError if one is damaged), and returns
  /// the file's SHA-256.
  std::string verify() const;

 private:
  void require_unchanged(const RegularFile& opened) const;

  std::filesystem::path file_;
  int64_t bytes_ = 0;  // of the file
  ShardCoding coding_ = ShardCoding::jpeg;
  std::string made_;
  std::vector<ShardClip> clips_;
};

/// Decodes frames of shards, keeping its decoder and buffer: one per thread.
class ShardReader {
 public:
  ShardReader();
  ~ShardReader();
  ShardReader(ShardReader&&) noexcept;

  /// Calls sink(k, frame) for every distinct k in `wanted` (ascending, in [0, frame_count)). The planes are
  /// valid until sink returns. FileErrors name the shard and the clip.
  void read(const Shard& shard, const ShardClip& clip, std::span<const int64_t> wanted,
            const std::function<void(int64_t, const Frame&)>& sink);

 private:
  struct Jpeg;
  std::unique_ptr<Jpeg> jpeg_;
};

}  // namespace laban
