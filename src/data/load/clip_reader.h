// One clip from one item: index, sample, decode, transform.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "data/cache/shard.h"
#include "data/clip/clip_writer.h"
#include "data/clip/sampler.h"
#include "data/dataset/dataset.h"
#include "data/load/batch_source.h"
#include "data/picture/image_folder.h"
#include "data/video/video.h"
#include "data/video/video_index_store.h"

namespace laban {

/// What is known about an item after its file has been indexed. The item's frames are the file's frames
/// first_frame() to first_frame() + frame_count() - 1; a file's frames are numbered from 0.
class ItemIndex {
 public:
  explicit ItemIndex(std::shared_ptr<const VideoIndex> video);
  /// A range of the video, which must contain it.
  ItemIndex(std::shared_ptr<const VideoIndex> video, int64_t first, int64_t count);
  explicit ItemIndex(FolderIndex folder);
  /// The clip of that name in a cache shard.
  ItemIndex(std::shared_ptr<const Shard> shard, const std::string& name);

  int64_t first_frame() const { return first_; }
  int64_t frame_count() const { return count_; }
  double fps() const;  // 0 for a folder of pictures
  /// The seconds of the item's frames in a video of variable rate; empty where frame k is shown at k / fps(), or
  /// where the file does not say when.
  std::vector<double> frame_times() const;
  int shown_width() const;
  int shown_height() const;
  const VideoIndex* video() const;
  const FolderIndex* folder() const { return std::get_if<FolderIndex>(&index_); }
  /// A clip in a shard, or null; its frames are numbered from 0 in the shard, but from first_frame() here.
  struct Cached {
    std::shared_ptr<const Shard> shard;
    const ShardClip* clip = nullptr;
  };
  const Cached* cached() const { return std::get_if<Cached>(&index_); }

 private:
  std::variant<std::shared_ptr<const VideoIndex>, FolderIndex, Cached> index_;
  int64_t first_ = 0, count_ = 0;
};

/// FileError if the item cannot be read, or does not contain its range; Canceled if `cancel` is set.
std::shared_ptr<const ItemIndex> index_item(const DatasetItem& item, Trust trust,
                                            const std::atomic<bool>* cancel);

/// Calls sink(k, frame) once for every distinct k in `frames`, ascending numbers of the file's frames.
/// FileError if one cannot be decoded, or all of them take too long (decode_limits.h); Canceled if `cancel` is
/// set.
void read_frames(const DatasetItem& item, const ItemIndex& index, std::span<const int64_t> frames,
                 PictureReader& pictures, ShardReader& shards, const std::atomic<bool>* cancel,
                 const std::function<void(int64_t, const Frame&)>& sink);

/// The indices of a dataset's items, created on demand and kept: those of videos packed in a VideoIndexStore.
/// Thread-safe.
class IndexCache {
 public:
  /// `store`: the file that keeps video indices between runs, with paths relative to `root`; empty: none.
  IndexCache(size_t items, Trust trust, const std::filesystem::path& store = {},
             const std::filesystem::path& root = {})
      : trust_(trust), videos_(store, root), folders_(items) {}

  std::shared_ptr<const ItemIndex> get(const DatasetItem& item, size_t position,
                                       const std::atomic<bool>* cancel);

 private:
  std::shared_ptr<const VideoIndex> video(const DatasetItem& item, const std::atomic<bool>* cancel);

  Trust trust_;
  VideoIndexStore videos_;
  std::mutex mutex_;  // guards what follows; held briefly, never while reading a file
  std::vector<std::shared_ptr<const ItemIndex>> folders_;  // by item; also clips in shards
  std::map<std::filesystem::path, std::shared_ptr<const Shard>> shards_;
};

/// How a clip is made from an item.
struct ClipSettings {
  SamplerSettings sampler{};
  TransformSettings transform{};
  SampleMode mode = SampleMode::train;
  int views = 1;  // test and validation: clips per item, spread evenly; epoch e shows view e mod views
  bool single_frame =
      false;  // every frame of the clip is one of its frames: the middle one, in training a random one
};

/// The random streams for a clip, which depend only on (seed, epoch, position, item).
struct ClipSeed {
  uint64_t seed = 1;
  int64_t epoch = 0, position = 0;
  int item = 0;
};

/// Whether clips in this mode are color-augmented, which ClipReader::place() cannot do.
bool augments(SampleMode mode, const TransformSettings& transform);

/// Makes clips. Reuses tables and buffers: one per thread.
class ClipReader {
 public:
  /// Writes frames x height x width of the crop x 3 values to `out` (f32, T,H,W,C) and the numbers of the file's frames to
  /// `frames`.
  void read(const DatasetItem& item, const ItemIndex& index, const ClipSettings& settings,
            const ClipSeed& seed, const std::atomic<bool>* cancel, float* out, std::vector<int64_t>& frames);

  /// The same clip as decoded: the parts of its frames that the crop covers, and how to view them.
  void place(const DatasetItem& item, const ItemIndex& index, const ClipSettings& settings,
             const ClipSeed& seed, const std::atomic<bool>* cancel, PlacedClip& out,
             std::vector<int64_t>& frames);

 private:
  /// What a clip shows. `rng` continues with the draws for its appearance.
  struct Look {
    ClipGeometry geometry;
    Rng rng;
  };
  static Look look(const ItemIndex& index, const ClipSettings& settings, const ClipSeed& seed,
                   std::vector<int64_t>& frames);
  void augment(const ClipAugment& augment, const TransformSettings& transform, int64_t frames, float* out);

  ClipWriter writer_;
  PictureReader pictures_;
  ShardReader shards_;
  Augmenter augmenter_;
};

}  // namespace laban
