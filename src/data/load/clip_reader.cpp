#include "data/load/clip_reader.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "data/clip/place_frame.h"
#include "data/picture/decode_limits.h"
#include "data/video/frame_rate.h"
#include "data/video/watch.h"

namespace laban {

ItemIndex::ItemIndex(std::shared_ptr<const VideoIndex> video)
    : index_(std::move(video)), count_(this->video()->frame_count()) {}
ItemIndex::ItemIndex(std::shared_ptr<const VideoIndex> video, int64_t first, int64_t count)
    : index_(std::move(video)), first_(first), count_(count) {
  require(first >= 0 && count > 0 && first + count <= this->video()->frame_count(),
          "ItemIndex: a range outside its video");
}
ItemIndex::ItemIndex(FolderIndex folder) : index_(std::move(folder)), count_(this->folder()->frame_count()) {}
ItemIndex::ItemIndex(std::shared_ptr<const Shard> shard, const std::string& name)
    : index_(Cached{shard, &shard->clip(name)}),
      first_(cached()->clip->first_frame),
      count_(cached()->clip->frame_count()) {}

const VideoIndex* ItemIndex::video() const {
  const auto* video = std::get_if<std::shared_ptr<const VideoIndex>>(&index_);
  return video ? video->get() : nullptr;
}
double ItemIndex::fps() const { return video() ? video()->fps : cached() ? cached()->clip->fps : 0; }
std::vector<double> ItemIndex::frame_times() const {
  std::vector<double> times = video()    ? laban::frame_times(*video())
                              : cached() ? cached()->clip->times
                                         : std::vector<double>{};
  if (times.empty() || !video()) return times;
  return {times.begin() + first_, times.begin() + first_ + count_};
}
int ItemIndex::shown_width() const {
  return video()    ? video()->shown_width()
         : cached() ? cached()->clip->shown_width()
                    : folder()->shown_width();
}
int ItemIndex::shown_height() const {
  return video()    ? video()->shown_height()
         : cached() ? cached()->clip->shown_height()
                    : folder()->shown_height();
}

namespace {

/// The item's range of its video. FileError if the video does not contain it.
std::shared_ptr<const ItemIndex> stretch_of(const DatasetItem& item,
                                            std::shared_ptr<const VideoIndex> video) {
  if (!item.range) return std::make_shared<ItemIndex>(std::move(video));
  const int64_t first = item.range->first.value_or(0), frames = video->frame_count();
  if (first < 0 || first + item.range->count > frames)
    throw FileError(
        item.path.string(),
        text("frames ", first, " to ", first + item.range->count - 1, " are requested, but the video has ",
             frames, " (0 to ", frames - 1, ")"),
        "Correct the clip's row in the list: a video's frames are numbered from 0, as shown by `laban "
        "frames`.");
  return std::make_shared<ItemIndex>(std::move(video), first, item.range->count);
}

}  // namespace

std::shared_ptr<const ItemIndex> index_item(const DatasetItem& item, Trust trust,
                                            const std::atomic<bool>* cancel) {
  if (item.kind == ItemKind::frame_folder)
    return std::make_shared<ItemIndex>(index_folder(item.path, item.filename_pattern, item.range));
  if (item.kind == ItemKind::cached)
    return std::make_shared<ItemIndex>(std::make_shared<Shard>(item.path), item.name);
  return stretch_of(item, index_video(item.path, trust, cancel));
}

std::shared_ptr<const VideoIndex> IndexCache::video(const DatasetItem& item,
                                                    const std::atomic<bool>* cancel) {
  const std::optional<FileStamp> stamp = stamp_of(item.path);
  if (stamp) {
    std::shared_ptr<const VideoIndex> known = videos_.find(item.path, *stamp);
    if (known && (known->verified || trust_ != Trust::nothing)) return known;
  }
  // Two threads may index the same file concurrently; both get the same result.
  std::shared_ptr<const VideoIndex> index = index_video(item.path, trust_, cancel);
  // If the file has changed meanwhile, the index is not stored.
  if (stamp && stamp_of(item.path) == stamp) videos_.add(item.path, *stamp, *index);
  return index;
}

std::shared_ptr<const ItemIndex> IndexCache::get(const DatasetItem& item, size_t position,
                                                 const std::atomic<bool>* cancel) {
  if (item.kind == ItemKind::video) return stretch_of(item, video(item, cancel));
  {
    const std::lock_guard lock(mutex_);
    if (folders_[position]) return folders_[position];
    if (item.kind == ItemKind::cached) {  // its table has all clips of the shard
      std::shared_ptr<const Shard>& shard = shards_[item.path];
      if (!shard) shard = std::make_shared<Shard>(item.path);
      return folders_[position] = std::make_shared<ItemIndex>(shard, item.name);
    }
  }
  std::shared_ptr<const ItemIndex> index = index_item(item, trust_, cancel);
  const std::lock_guard lock(mutex_);
  if (!folders_[position]) folders_[position] = std::move(index);
  return folders_[position];
}

void read_frames(const DatasetItem& item, const ItemIndex& index, std::span<const int64_t> frames,
                 PictureReader& pictures, ShardReader& shards, const std::atomic<bool>* cancel,
                 const std::function<void(int64_t, const Frame&)>& sink) {
  if (const VideoIndex* video = index.video()) return read_video(item.path, *video, frames, sink, cancel);
  const DecodeTime time;
  const auto go_on = [&] {
    if (cancel && cancel->load(std::memory_order_relaxed)) throw Canceled{};
    time.check(item.path);
  };
  if (const FolderIndex* folder = index.folder())
    return read_folder(*folder, frames, pictures, [&](int64_t k, const Frame& frame) {
      go_on();
      sink(k, frame);
    });
  const int64_t first = index.first_frame();
  std::vector<int64_t> stored(frames.begin(), frames.end());
  for (int64_t& k : stored) k -= first;
  const ItemIndex::Cached& cached = *index.cached();
  shards.read(*cached.shard, *cached.clip, stored, [&](int64_t k, const Frame& frame) {
    go_on();
    sink(k + first, frame);
  });
}

bool augments(SampleMode mode, const TransformSettings& transform) {
  return mode == SampleMode::train && transform.augment.active();
}

ClipReader::Look ClipReader::look(const ItemIndex& index, const ClipSettings& settings, const ClipSeed& seed,
                                  std::vector<int64_t>& frames) {
  const bool training = settings.mode == SampleMode::train;
  const auto epoch = static_cast<uint64_t>(seed.epoch);
  const uint64_t place = static_cast<uint64_t>(seed.position) << 32 | static_cast<uint32_t>(seed.item);
  Rng sampling(seed.seed, Purpose::sample, epoch, place), looking(seed.seed, Purpose::augment, epoch, place);

  const View view{static_cast<int>(seed.epoch % settings.views), settings.views};
  const bool by_time = settings.sampler.kind == SamplerKind::dense && settings.sampler.fps > 0;
  frames = sample_indices(settings.sampler, settings.mode, index.frame_count(), index.fps(), sampling, view,
                          by_time ? index.frame_times() : std::vector<double>{});
  for (int64_t& frame : frames) frame += index.first_frame();
  if (settings.single_frame) {
    const auto last = static_cast<int64_t>(frames.size()) - 1;
    const int64_t chosen = training ? sampling.integer(0, last) : static_cast<int64_t>(frames.size()) / 2;
    std::ranges::fill(frames, frames[static_cast<size_t>(chosen)]);
  }
  const ClipGeometry geometry =
      training ? random_geometry(settings.transform, index.shown_width(), index.shown_height(), looking)
               : evaluation_geometry(settings.transform, index.shown_width(), index.shown_height());
  return {geometry, looking};
}

void ClipReader::read(const DatasetItem& item, const ItemIndex& index, const ClipSettings& settings,
                      const ClipSeed& seed, const std::atomic<bool>* cancel, float* out,
                      std::vector<int64_t>& frames) {
  auto [geometry, rng] = look(index, settings, seed, frames);
  // Colors are augmented before normalization, so the writer leaves them in 0..255.
  const bool augmenting = augments(settings.mode, settings.transform);
  TransformSettings plain = settings.transform;
  plain.mean = {0, 0, 0}, plain.std = {1 / 255.0f, 1 / 255.0f, 1 / 255.0f};
  writer_.begin(geometry, augmenting ? plain : settings.transform);

  const int64_t values = int64_t{3} * geometry.crop_width * geometry.crop_height;
  const auto write = [&](int64_t k, const Frame& frame) {
    // A frame that was sampled several times is converted once and copied.
    const auto [begin, end] = std::equal_range(frames.begin(), frames.end(), k);
    float* const first = out + (begin - frames.begin()) * values;
    writer_.write(frame, first);
    for (int64_t copy = 1; copy < end - begin; ++copy) std::copy_n(first, values, first + copy * values);
  };
  read_frames(item, index, frames, pictures_, shards_, cancel, write);
  if (augmenting)
    augment(random_augment(settings.transform.augment, geometry.crop_width, geometry.crop_height, rng),
            settings.transform, static_cast<int64_t>(frames.size()), out);
}

void ClipReader::place(const DatasetItem& item, const ItemIndex& index, const ClipSettings& settings,
                       const ClipSeed& seed, const std::atomic<bool>* cancel, PlacedClip& out,
                       std::vector<int64_t>& frames) {
  require(!augments(settings.mode, settings.transform), "ClipReader::place: cannot augment colors");
  const ClipGeometry geometry = look(index, settings, seed, frames).geometry;
  out.bytes.clear();
  out.frames.resize(frames.size());
  read_frames(item, index, frames, pictures_, shards_, cancel, [&](int64_t k, const Frame& frame) {
    const bool first = out.bytes.empty();
    const FramePlacement placement = place_frame(frame, geometry, out.bytes);
    if (first) out.bytes.reserve(out.bytes.size() * frames.size());  // once, for all that follow
    const auto [begin, end] = std::equal_range(frames.begin(), frames.end(), k);
    std::fill(out.frames.begin() + (begin - frames.begin()), out.frames.begin() + (end - frames.begin()),
              placement);
  });
}

void ClipReader::augment(const ClipAugment& augment, const TransformSettings& transform, int64_t frames,
                         float* out) {
  const auto [height, width] = transform.crop;
  const int64_t values = int64_t{3} * height * width;
  std::array<float, 3> fill{};
  for (size_t c = 0; c < 3; ++c) fill[c] = 255 * transform.mean[c];
  for (int64_t t = 0; t < frames; ++t, out += values) {
    for (const AugmentOp& op : augment.ops) augmenter_.apply(op, out, width, height, fill.data());
    for (int64_t i = 0; i < values; ++i) {
      const auto c = static_cast<size_t>(i % 3);
      out[i] = (out[i] / 255 - transform.mean[c]) / transform.std[c];
    }
    for (int y = 0; y < augment.erase_h; ++y)
      std::fill_n(out + ((augment.erase_y + y) * int64_t{width} + augment.erase_x) * 3, augment.erase_w * 3,
                  0.0f);
  }
}

}  // namespace laban
