#include "data/cache/cache.h"

#include <turbojpeg.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <numeric>

#include "core/error.h"
#include "core/files.h"
#include "core/thread_group.h"
#include "data/dataset/csv.h"
#include "data/load/clip_reader.h"
#include "data/video/libav.h"
#include "data/video/watch.h"

namespace laban {
namespace fs = std::filesystem;
namespace {

constexpr const char* kSums = "checksums.sha256";

AVPixelFormat format_of(PixelLayout layout) {
  switch (layout) {
    case PixelLayout::yuv420p:
      return AV_PIX_FMT_YUV420P;
    case PixelLayout::yuv422p:
      return AV_PIX_FMT_YUV422P;
    case PixelLayout::yuv444p:
      return AV_PIX_FMT_YUV444P;
    case PixelLayout::gray8:
      return AV_PIX_FMT_GRAY8;
    case PixelLayout::rgb24:
      return AV_PIX_FMT_RGB24;
  }
  return AV_PIX_FMT_NONE;
}

/// Scales frames down to 4:2:0 of one size and encodes them. One per thread.
class Shrinker {
 public:
  explicit Shrinker(const CacheSettings& settings) : settings_(settings) {}

  /// The clip's description, from its first frame.
  ShardClip describe(const Frame& first, const std::string& name) const {
    const int shorter = std::min(first.width, first.height);
    const int64_t side = std::min(settings_.short_side, shorter);
    ShardClip clip{.name = name};
    clip.width = static_cast<int>(first.width * side / shorter);
    clip.height = static_cast<int>(first.height * side / shorter);
    clip.rotation = first.rotation, clip.mirror = first.mirror;
    clip.matrix = first.matrix;
    // RGB pictures become full-range BT.601, as in JPEG.
    clip.full_range = first.full_range || first.layout == PixelLayout::rgb24;
    return clip;
  }

  std::span<const uint8_t> pack(const Frame& frame, const ShardClip& to) {
    scale(frame, to);
    return settings_.coding == ShardCoding::raw ? std::span<const uint8_t>(planes_) : compress(to);
  }

 private:
  void scale(const Frame& frame, const ShardClip& to) {
    const int half = (to.width + 1) / 2, half_rows = (to.height + 1) / 2;
    const size_t luma = static_cast<size_t>(to.width) * to.height,
                 chroma = static_cast<size_t>(half) * half_rows;
    planes_.resize(luma + 2 * chroma);
    // Antialiased bilinear: libswscale's filters widen by themselves as the picture shrinks.
    scaler_.reset(sws_getCachedContext(
        scaler_.release(), frame.width, frame.height, format_of(frame.layout), to.width, to.height,
        AV_PIX_FMT_YUV420P, SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, nullptr, nullptr, nullptr));
    if (!scaler_) throw std::bad_alloc();
    const int* const bt601 = sws_getCoefficients(SWS_CS_ITU601);
    sws_setColorspaceDetails(scaler_.get(), bt601, frame.full_range, bt601, to.full_range, 0, 1 << 16,
                             1 << 16);
    uint8_t* const out[] = {planes_.data(), planes_.data() + luma, planes_.data() + luma + chroma};
    const int strides[] = {to.width, half, half};
    sws_scale(scaler_.get(), frame.plane.data(), frame.stride.data(), 0, frame.height, out, strides);
  }

  std::span<const uint8_t> compress(const ShardClip& to) {
    const int half = (to.width + 1) / 2, half_rows = (to.height + 1) / 2;
    const size_t luma = static_cast<size_t>(to.width) * to.height,
                 chroma = static_cast<size_t>(half) * half_rows;
    const unsigned char* planes[] = {planes_.data(), planes_.data() + luma, planes_.data() + luma + chroma};
    const int strides[] = {to.width, half, half};
    jpeg_.resize(tjBufSize(to.width, to.height, TJSAMP_420));
    unsigned char* out = jpeg_.data();
    unsigned long bytes = static_cast<unsigned long>(jpeg_.size());
    if (tjCompressFromYUVPlanes(handle_.get(), planes, to.width, strides, to.height, TJSAMP_420, &out, &bytes,
                                settings_.quality, TJFLAG_NOREALLOC | TJFLAG_ACCURATEDCT) != 0)
      throw Error(text("a picture of ", to.width, "x", to.height,
                       " cannot be encoded as JPEG: ", tjGetErrorStr2(handle_.get())));
    return {jpeg_.data(), bytes};
  }

  struct Free {
    void operator()(void* handle) const { tjDestroy(handle); }
  };
  const CacheSettings& settings_;
  av::Scaler scaler_;
  std::unique_ptr<void, Free> handle_{tjInitCompress()};
  std::vector<uint8_t> planes_, jpeg_;
};

struct Stopped {};

class CacheMaker {
 public:
  CacheMaker(const Dataset& dataset, const fs::path& folder, const CacheSettings& settings,
             const CacheProgress& progress)
      : dataset_(dataset), folder_(folder), settings_(settings), progress_(progress) {
    const size_t per = static_cast<size_t>(settings.clips_per_shard);
    shards_.resize((dataset.items.size() + per - 1) / per);
  }

  bool run(CacheResult& result) {
    working_ = settings_.workers;
    ThreadGroup threads;
    try {
      for (int i = 0; i < settings_.workers; ++i)
        threads.start([&] {
          work();
          const std::lock_guard lock(mutex_);
          if (--working_ == 0) done_working_.notify_one();
        });
    } catch (...) {
      stop_ = true;  // those that have been started
      throw;
    }
    {
      std::unique_lock lock(mutex_);
      constexpr std::chrono::milliseconds kGlance{50};  // a signal handler can set a flag, but wake nobody
      while (!done_working_.wait_for(lock, kGlance, [&] { return working_ == 0; }))
        if (settings_.stop && settings_.stop->load(std::memory_order_relaxed)) stop_ = true;
    }
    threads.join();
    if (failure_) std::rethrow_exception(failure_);
    if (stop_) return false;
    finish(result);
    return true;
  }

 private:
  struct Made {
    std::vector<size_t> items;  // that are in it
    std::string sha256;
    bool kept = false;
  };

  fs::path shard_file(size_t number) const {
    std::string digits = std::to_string(number);
    digits.insert(0, digits.size() < 5 ? 5 - digits.size() : 0, '0');
    return folder_ / ("shard-" + digits + kShardExtension);
  }

  std::string made() const {
    return text("short side ", settings_.short_side,
                settings_.coding == ShardCoding::raw ? ", raw" : text(", jpeg ", settings_.quality));
  }

  /// For a folder of pictures: their total size, and the latest modification time.
  static FileStamp source_stamp(const DatasetItem& item) {
    if (item.kind != ItemKind::frame_folder) return stamp_of(item.path).value_or(FileStamp{});
    const FolderIndex index = index_folder(item.path, item.filename_pattern, item.range);
    FileStamp all;
    for (int64_t k = 0; k < index.frame_count(); ++k) {
      const FileStamp one = stamp_of(index.picture(k)).value_or(FileStamp{});
      all.bytes += one.bytes;
      all.changed = k == 0 ? one.changed : std::max(all.changed, one.changed);
    }
    return all;
  }

  void work() {
    try {
      Shrinker shrinker(settings_);
      PictureReader pictures;
      ShardReader cached;
      for (size_t s = next_++; s < shards_.size() && !stop_; s = next_++)
        if (!keep(s)) make(s, shrinker, pictures, cached);
    } catch (const Canceled&) {
    } catch (const Stopped&) {
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
      stop_ = true;
    }
  }

  std::pair<size_t, size_t> items_of(size_t s) const {
    const size_t per = static_cast<size_t>(settings_.clips_per_shard);
    return {s * per, std::min(dataset_.items.size(), (s + 1) * per)};
  }

  /// Whether the shard already exists, up to date and undamaged. Clips that were left out are examined again.
  bool keep(size_t s) {
    const fs::path file = shard_file(s);
    std::error_code failed;
    if (!fs::is_regular_file(file, failed)) return false;
    const auto [begin, end] = items_of(s);
    try {
      const Shard shard(file);
      if (shard.made() != made() || shard.clips().size() != end - begin) return false;
      for (size_t i = begin; i < end; ++i) {
        const ShardClip& clip = shard.clips()[i - begin];
        if (clip.name != dataset_.items[i].name || clip.source != source_stamp(dataset_.items[i]))
          return false;
      }
      shards_[s].sha256 = shard.verify();
    } catch (const FileError& error) {
      if (error.file() != file.string()) return false;  // the clip's error; it is examined again
      const std::lock_guard lock(mutex_);
      damaged_.push_back({error.file(), error.what()});
      return false;
    }
    shards_[s].kept = true;
    for (size_t i = begin; i < end; ++i) shards_[s].items.push_back(i);
    for (size_t i = begin; i < end; ++i) tell();
    return true;
  }

  void make(size_t s, Shrinker& shrinker, PictureReader& pictures, ShardReader& cached) {
    ShardWriter writer(shard_file(s), settings_.coding, made());
    const auto [begin, end] = items_of(s);
    for (size_t i = begin; i < end; ++i) {
      const DatasetItem& item = dataset_.items[i];
      try {
        const auto index = index_item(item, Trust::nothing, &stop_);
        add(item, *index, writer, shrinker, pictures, cached);
        shards_[s].items.push_back(i);
      } catch (const FileError& error) {
        // If the shard cannot be written, that is not the clip's fault.
        if (settings_.on_bad_file == OnBadFile::stop || error.file() == shard_file(s).string()) throw;
        writer.take_back(item.name);
        const std::lock_guard lock(mutex_);
        bad_.push_back({error.file(), error.what()});
      }
      tell();
    }
    if (!shards_[s].items.empty()) shards_[s].sha256 = writer.commit();
  }

  void add(const DatasetItem& item, const ItemIndex& index, ShardWriter& writer, Shrinker& shrinker,
           PictureReader& pictures, ShardReader& cached) {
    std::vector<int64_t> all(static_cast<size_t>(index.frame_count()));
    std::iota(all.begin(), all.end(), index.first_frame());
    ShardClip clip;
    // Frames arrive in order, except from files whose packets are not in order.
    std::vector<std::vector<uint8_t>> waiting(all.size());
    size_t written = 0;
    const auto take = [&](int64_t k, const Frame& frame) {
      if (stop_) throw Canceled{};
      if (clip.width == 0) {
        clip = shrinker.describe(frame, item.name);
        if (std::max(clip.width, clip.height) > kMaxShardSide)
          throw FileError(
              item.path.string(),
              text("its pictures of ", frame.width, "x", frame.height, " are too elongated for a cache"),
              "Leave it out, or train without a cache.");
        clip.source = source_stamp(item);
        clip.first_frame = index.first_frame(), clip.fps = index.fps();
        clip.times = index.frame_times();
        writer.begin_clip(clip);
      }
      const auto bytes = shrinker.pack(frame, clip);
      waiting[static_cast<size_t>(k - index.first_frame())].assign(bytes.begin(), bytes.end());
      while (written < waiting.size() && !waiting[written].empty()) {
        writer.add_frame(waiting[written]);
        waiting[written++] = std::vector<uint8_t>{};
        waiting[written - 1].shrink_to_fit();
      }
    };
    read_frames(item, index, all, pictures, cached, &stop_, take);
    require(written == all.size(), "make_cache: a frame is missing");
  }

  void tell() {
    const std::lock_guard lock(mutex_);
    if (progress_ && !progress_(++done_, static_cast<int64_t>(dataset_.items.size()))) {
      stop_ = true;
      throw Stopped{};
    }
  }

  void finish(CacheResult& result) {
    Dataset written = dataset_;
    written.root = folder_;
    written.items.clear();
    std::string sums;
    for (size_t s = 0; s < shards_.size(); ++s) {
      if (shards_[s].items.empty()) continue;
      const fs::path file = shard_file(s);
      for (const size_t i : shards_[s].items) {
        DatasetItem item = dataset_.items[i];
        item.path = file;
        item.filename_pattern.clear();
        item.range.reset();
        written.items.push_back(std::move(item));
      }
      sums += text(shards_[s].sha256, "  ", file.filename().string(), "\n");
      result.bytes += static_cast<int64_t>(fs::file_size(file));
      result.kept_shards += shards_[s].kept;
      ++result.shards;
    }
    std::ranges::sort(bad_, {}, &BadFile::file);
    result.clips = static_cast<int64_t>(written.items.size());
    result.bad_files = bad_;
    std::ranges::sort(damaged_, {}, &BadFile::file);
    result.damaged_shards = damaged_;
    if (written.items.empty())
      throw Error(text(dataset_.root.string(), ": none of ", bad_.size(),
                       " files can be read; the first: ", bad_.front().reason));
    write_file(folder_ / kSums, sums);
    write_file(folder_ / kIndexFile, index_text(written, folder_));
  }

  const Dataset& dataset_;
  const fs::path& folder_;
  const CacheSettings& settings_;
  const CacheProgress& progress_;
  std::vector<Made> shards_;
  std::atomic<size_t> next_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::condition_variable done_working_;
  int working_ = 0;
  int64_t done_ = 0;
  std::vector<BadFile> bad_, damaged_;
  std::exception_ptr failure_;
};

}  // namespace

bool make_cache(const Dataset& dataset, const fs::path& folder, const CacheSettings& settings,
                const CacheProgress& progress, CacheResult& result) {
  if (settings.short_side < 8)
    throw UsageError(text("a short side of ", settings.short_side, " is too small"));
  if (settings.quality < 1 || settings.quality > 100)
    throw UsageError(text("a JPEG quality of ", settings.quality, " is not in 1 to 100"));
  require(settings.clips_per_shard > 0 && settings.workers > 0,
          "make_cache: no clips in a shard, or no workers");
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed)
    throw FileError(folder.string(), "cannot create the folder: " + failed.message(),
                    "Choose another folder.");
  if (fs::equivalent(folder, dataset.root, failed))
    throw UsageError(folder.string() + ": is the dataset itself", "Choose another folder for the cache.");
  require_replaceable(folder / kSums, "a cache's list of checksums", [](std::string_view begin) {
    return begin.substr(0, begin.find('\n')).ends_with(kShardExtension);
  });
  require_replaceable(folder / kIndexFile, "a cache's index", [](std::string_view begin) {
    return begin.starts_with(kIndexHeader) && begin.find(kShardExtension) != std::string_view::npos;
  });
  return CacheMaker(dataset, folder, settings, progress).run(result);
}

}  // namespace laban
