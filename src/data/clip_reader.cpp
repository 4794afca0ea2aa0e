#include "data/clip_reader.h"

#include <algorithm>

#include "core/error.h"

namespace laban {

ItemIndex::ItemIndex(std::shared_ptr<const VideoIndex> video)
    : index_(std::move(video)), count_(this->video()->frame_count()) {}
ItemIndex::ItemIndex(std::shared_ptr<const VideoIndex> video, int64_t first, int64_t count)
    : index_(std::move(video)), first_(first), count_(count) {
  require(first >= 0 && count > 0 && first + count <= this->video()->frame_count(),
          "ItemIndex: a stretch outside of its video");
}
ItemIndex::ItemIndex(FolderIndex folder) : index_(std::move(folder)), count_(this->folder()->frame_count()) {}

const VideoIndex* ItemIndex::video() const {
  const auto* video = std::get_if<std::shared_ptr<const VideoIndex>>(&index_);
  return video ? video->get() : nullptr;
}
double ItemIndex::fps() const { return video() ? video()->fps : 0; }
int ItemIndex::shown_width() const { return video() ? video()->shown_width() : folder()->width; }
int ItemIndex::shown_height() const { return video() ? video()->shown_height() : folder()->height; }

std::shared_ptr<const ItemIndex> index_item(const DatasetItem& item, Trust trust,
                                            const std::atomic<bool>* cancel) {
  if (item.kind == ItemKind::frame_folder)
    return std::make_shared<ItemIndex>(index_folder(item.path, item.frames_named, item.range));
  std::shared_ptr<const VideoIndex> video = index_video(item.path, trust, cancel);
  if (!item.range) return std::make_shared<ItemIndex>(std::move(video));
  const int64_t first = item.range->first.value_or(0), frames = video->frame_count();
  if (first < 0 || first + item.range->count > frames)
    throw FileError(item.path.string(),
                    text("frames ", first, " to ", first + item.range->count - 1,
                         " are asked for, but the video has ", frames, " (0 to ", frames - 1, ")"),
                    "Correct the clip's row in the list: a video's frames count from 0, as `laban frames` "
                    "shows them.");
  return std::make_shared<ItemIndex>(std::move(video), first, item.range->count);
}

std::shared_ptr<const ItemIndex> IndexCache::get(const DatasetItem& item, size_t position,
                                                 const std::atomic<bool>* cancel) {
  {
    const std::lock_guard lock(mutex_);
    if (entries_[position]) return entries_[position];
  }
  // Two threads may index one file at once; both get the same.
  std::shared_ptr<const ItemIndex> index = index_item(item, trust_, cancel);
  const std::lock_guard lock(mutex_);
  if (!entries_[position]) entries_[position] = std::move(index);
  return entries_[position];
}

void ClipReader::read(const DatasetItem& item, const ItemIndex& index, const ClipSettings& settings,
                      const ClipSeed& seed, const std::atomic<bool>* cancel, float* out,
                      std::vector<int64_t>& frames) {
  const bool training = settings.mode == SampleMode::train;
  const auto epoch = static_cast<uint64_t>(seed.epoch);
  const uint64_t place = static_cast<uint64_t>(seed.position) << 32 | static_cast<uint32_t>(seed.item);
  Rng sampling(seed.seed, Purpose::sample, epoch, place), looking(seed.seed, Purpose::augment, epoch, place);

  frames = sample_indices(settings.sampler, settings.mode, index.frame_count(), index.fps(), sampling);
  for (int64_t& frame : frames) frame += index.first_frame();
  if (settings.single_frame) {
    const auto last = static_cast<int64_t>(frames.size()) - 1;
    const int64_t chosen = training ? sampling.integer(0, last) : static_cast<int64_t>(frames.size()) / 2;
    std::ranges::fill(frames, frames[static_cast<size_t>(chosen)]);
  }
  const ClipGeometry geometry =
      training ? random_geometry(settings.transform, index.shown_width(), index.shown_height(), looking)
               : center_geometry(settings.transform, index.shown_width(), index.shown_height());
  writer_.begin(geometry, settings.transform);

  const int64_t values = int64_t{3} * geometry.crop_width * geometry.crop_height;
  const auto place_frame = [&](int64_t k, const Frame& frame) {
    // A frame that was drawn several times is converted once and copied.
    const auto [begin, end] = std::ranges::equal_range(frames, k);
    float* const first = out + (begin - frames.begin()) * values;
    writer_.write(frame, first);
    for (int64_t copy = 1; copy < end - begin; ++copy) std::copy_n(first, values, first + copy * values);
  };
  if (const VideoIndex* video = index.video())
    read_video(item.path, *video, frames, place_frame, cancel);
  else
    read_folder(*index.folder(), frames, pictures_, place_frame);
}

}  // namespace laban
