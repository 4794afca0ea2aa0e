// One clip from one item: index, sample, decode, transform.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <variant>
#include <vector>

#include "data/dataset.h"
#include "data/image_folder.h"
#include "data/sampler.h"
#include "data/transforms.h"
#include "data/video.h"

namespace laban {

/// What is known of an item after its file was looked through once. The item's frames are the file's frames
/// first_frame() to first_frame() + frame_count() - 1; a file's frames are numbered from 0.
class ItemIndex {
 public:
  explicit ItemIndex(std::shared_ptr<const VideoIndex> video);
  /// A stretch of the video, which must lie in it.
  ItemIndex(std::shared_ptr<const VideoIndex> video, int64_t first, int64_t count);
  explicit ItemIndex(FolderIndex folder);

  int64_t first_frame() const { return first_; }
  int64_t frame_count() const { return count_; }
  double fps() const;  // a folder of pictures has none: 0
  int shown_width() const;
  int shown_height() const;
  const VideoIndex* video() const;
  const FolderIndex* folder() const { return std::get_if<FolderIndex>(&index_); }

 private:
  std::variant<std::shared_ptr<const VideoIndex>, FolderIndex> index_;
  int64_t first_ = 0, count_ = 0;
};

/// FileError where the item cannot be read, or has not the frames that its range asks for; Cancelled where
/// `cancel` was set.
std::shared_ptr<const ItemIndex> index_item(const DatasetItem& item, Trust trust,
                                            const std::atomic<bool>* cancel);

/// The indices of a dataset's items, made when first asked for and kept. May be asked by many threads.
class IndexCache {
 public:
  IndexCache(size_t items, Trust trust) : trust_(trust), entries_(items) {}

  std::shared_ptr<const ItemIndex> get(const DatasetItem& item, size_t position,
                                       const std::atomic<bool>* cancel);

 private:
  Trust trust_;
  std::mutex mutex_;  // of entries_; held for a look, never while a file is read
  std::vector<std::shared_ptr<const ItemIndex>> entries_;
};

/// How a clip is made of an item.
struct ClipSettings {
  SamplerSettings sampler{};
  TransformSettings transform{};
  SampleMode mode = SampleMode::train;
  bool single_frame =
      false;  // every frame of the clip is one of its frames: the middle one, in training a random one
};

/// The draws that make a clip: streams of the seed that depend on nothing but (seed, epoch, position, item).
struct ClipSeed {
  uint64_t seed = 1;
  int64_t epoch = 0, position = 0;
  int item = 0;
};

/// Makes clips; keeps tables and buffers: one per thread.
class ClipReader {
 public:
  /// Writes frames x crop x crop x 3 values at `out` (f32, T,H,W,C) and the numbers of the file's frames to
  /// `frames`.
  void read(const DatasetItem& item, const ItemIndex& index, const ClipSettings& settings,
            const ClipSeed& seed, const std::atomic<bool>* cancel, float* out, std::vector<int64_t>& frames);

 private:
  ClipWriter writer_;
  PictureReader pictures_;
};

}  // namespace laban
