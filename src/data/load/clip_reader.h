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

/// What is known of an item after its file was looked through once. The item's frames are the file's frames
/// first_frame() to first_frame() + frame_count() - 1; a file's frames are numbered from 0.
class ItemIndex {
 public:
  explicit ItemIndex(std::shared_ptr<const VideoIndex> video);
  /// A stretch of the video, which must lie in it.
  ItemIndex(std::shared_ptr<const VideoIndex> video, int64_t first, int64_t count);
  explicit ItemIndex(FolderIndex folder);
  /// The clip of that name in a shard of a cache.
  ItemIndex(std::shared_ptr<const Shard> shard, const std::string& name);

  int64_t first_frame() const { return first_; }
  int64_t frame_count() const { return count_; }
  double fps() const;  // a folder of pictures has none: 0
  int shown_width() const;
  int shown_height() const;
  const VideoIndex* video() const;
  const FolderIndex* folder() const { return std::get_if<FolderIndex>(&index_); }
  /// A clip of a shard, or null; its frames are numbered from 0 in the shard, from first_frame() here.
  struct Cached {
    std::shared_ptr<const Shard> shard;
    const ShardClip* clip = nullptr;
  };
  const Cached* cached() const { return std::get_if<Cached>(&index_); }

 private:
  std::variant<std::shared_ptr<const VideoIndex>, FolderIndex, Cached> index_;
  int64_t first_ = 0, count_ = 0;
};

/// FileError where the item cannot be read, or has not the frames that its range asks for; Canceled where
/// `cancel` was set.
std::shared_ptr<const ItemIndex> index_item(const DatasetItem& item, Trust trust,
                                            const std::atomic<bool>* cancel);

/// Calls sink(k, frame) once for every different k of `frames`, numbers of the file's frames, which ascend.
/// FileError where one cannot be had.
void read_frames(const DatasetItem& item, const ItemIndex& index, std::span<const int64_t> frames,
                 PictureReader& pictures, ShardReader& shards, const std::atomic<bool>* cancel,
                 const std::function<void(int64_t, const Frame&)>& sink);

/// The indices of a dataset's items, made when first asked for and kept: those of videos in a VideoIndexStore,
/// packed. May be asked by many threads.
class IndexCache {
 public:
  /// `store`: the file that keeps the indices of videos from run to run, of paths that count from `root`;
  /// empty: none does.
  IndexCache(size_t items, Trust trust, const std::filesystem::path& store = {},
             const std::filesystem::path& root = {})
      : trust_(trust), videos_(store, root), folders_(items) {}

  std::shared_ptr<const ItemIndex> get(const DatasetItem& item, size_t position,
                                       const std::atomic<bool>* cancel);

 private:
  std::shared_ptr<const VideoIndex> video(const DatasetItem& item, const std::atomic<bool>* cancel);

  Trust trust_;
  VideoIndexStore videos_;
  std::mutex mutex_;  // of what follows; held for a look, never while a file is read
  std::vector<std::shared_ptr<const ItemIndex>> folders_;  // by item; clips of shards too
  std::map<std::filesystem::path, std::shared_ptr<const Shard>> shards_;
};

/// How a clip is made of an item.
struct ClipSettings {
  SamplerSettings sampler{};
  TransformSettings transform{};
  SampleMode mode = SampleMode::train;
  int views = 1;  // test and validate: clips of an item, spread evenly; epoch e shows view e mod views
  bool single_frame =
      false;  // every frame of the clip is one of its frames: the middle one, in training a random one
};

/// The draws that make a clip: streams of the seed that depend on nothing but (seed, epoch, position, item).
struct ClipSeed {
  uint64_t seed = 1;
  int64_t epoch = 0, position = 0;
  int item = 0;
};

/// Whether clips of this mode have their colors changed, which ClipReader::place() cannot do.
bool augments(SampleMode mode, const TransformSettings& transform);

/// Makes clips; keeps tables and buffers: one per thread.
class ClipReader {
 public:
  /// Writes frames x crop x crop x 3 values at `out` (f32, T,H,W,C) and the numbers of the file's frames to
  /// `frames`.
  void read(const DatasetItem& item, const ItemIndex& index, const ClipSettings& settings,
            const ClipSeed& seed, const std::atomic<bool>* cancel, float* out, std::vector<int64_t>& frames);

  /// The same clip as decoded: the parts of its frames that are looked at, and how to look at them.
  void place(const DatasetItem& item, const ItemIndex& index, const ClipSettings& settings,
             const ClipSeed& seed, const std::atomic<bool>* cancel, PlacedClip& out,
             std::vector<int64_t>& frames);

 private:
  /// Where a clip looks. `rng` goes on with what else there is to draw about its looks.
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
