#include "data/scene/sketch.h"

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "data/cache/shard.h"
#include "data/picture/image_folder.h"
#include "data/video/demuxer.h"
#include "data/video/picture_converter.h"
#include "data/video/video_decoder.h"

namespace laban {
namespace {

constexpr size_t kSide = kThumbnailSide;

// ---- thumbnails --------------------------------------------------------------------------------------

/// A cell is the mean of at most so many rows and columns of it: that settles it well enough.
constexpr int kMostSamples = 8;

Thumbnail as_stored(const Frame& frame) {
  Thumbnail small{};
  const bool rgb = frame.layout == PixelLayout::rgb24;
  const auto value = [&](int x, int y) -> int {
    const uint8_t* const row = frame.plane[0] + int64_t{y} * frame.stride[0];
    return rgb ? (77 * row[3 * x] + 150 * row[3 * x + 1] + 29 * row[3 * x + 2]) >> 8 : row[x];
  };
  const auto edge = [](size_t cell, int length) {
    return static_cast<int>(cell * static_cast<size_t>(length) / kSide);
  };
  for (size_t i = 0; i < kSide; ++i) {
    const int top = edge(i, frame.height), bottom = std::max(top + 1, edge(i + 1, frame.height));
    const int down = std::max(1, (bottom - top) / kMostSamples);
    for (size_t j = 0; j < kSide; ++j) {
      const int left = edge(j, frame.width), right = std::max(left + 1, edge(j + 1, frame.width));
      const int across = std::max(1, (right - left) / kMostSamples);
      int sum = 0, count = 0;
      for (int y = std::min(top, frame.height - 1); y < std::min(bottom, frame.height); y += down)
        for (int x = std::min(left, frame.width - 1); x < std::min(right, frame.width); x += across)
          sum += value(x, y), ++count;
      small[i * kSide + j] = static_cast<uint8_t>((sum + count / 2) / count);
    }
  }
  return small;
}

// ---- frames of a clip --------------------------------------------------------------------------------

/// Keeps thumbnails of evenly spaced frames of a sequence whose length is not known.
class EvenlySpaced {
 public:
  void add(const Frame& frame) {
    if (count_++ % step_ != 0) return;
    kept_.push_back(thumbnail_of(frame));
    if (kept_.size() < 2 * kLeast) return;
    for (size_t i = 0; i < kLeast; ++i) kept_[i] = kept_[2 * i];
    kept_.resize(kLeast);
    step_ *= 2;
  }
  std::vector<Thumbnail> take() { return std::move(kept_); }

 private:
  static constexpr size_t kLeast = 16;
  std::vector<Thumbnail> kept_;
  int64_t count_ = 0, step_ = 1;
};

/// `count` of them, the first and the last among them.
std::vector<Thumbnail> chosen(const std::vector<Thumbnail>& all, size_t count) {
  if (all.size() <= count) return all;
  std::vector<Thumbnail> some;
  for (size_t i = 0; i < count; ++i) some.push_back(all[i * (all.size() - 1) / (count - 1)]);
  return some;
}

// A short video is decoded whole, if that costs no more than this.
constexpr int64_t kMostDecodedPixels = 40'000'000;

std::vector<Thumbnail> frames_of_video(const DatasetItem& item, const std::atomic<bool>* cancel) {
  Watch watch(cancel);
  Demuxer source(item.path, watch);
  VideoDecoder decoder(source, Effort::count);
  PictureConverter converter;
  const int rotation = source.setup()->rotation;
  const bool mirror = source.setup()->mirror;
  EvenlySpaced spaced;
  int64_t pixels = 0, seen = 0;
  std::vector<Thumbnail> singles;
  bool sequential = true;
  const auto on_frame = [&](AVFrame& picture) {
    watch.progress();
    source.check_watch();
    ++seen;
    pixels += int64_t{picture.width} * picture.height;
    if (!sequential && !singles.empty()) return;
    Frame frame = converter.convert(item.path, picture);
    frame.rotation = rotation, frame.mirror = mirror;
    if (sequential)
      spaced.add(frame);
    else
      singles.push_back(thumbnail_of(frame));
  };
  const av::Packet packet = av::make_packet();
  bool ended = false;
  int64_t ordinal = 0;
  while (!ended && pixels < kMostDecodedPixels) {
    ended = !source.read(*packet);
    if (!ended) decoder.decode(*packet, ordinal++, on_frame);
  }
  decoder.drain(on_frame);
  std::vector<Thumbnail> frames = spaced.take();
  if (ended) return frames;
  frames = chosen(frames, 4);
  sequential = false;
  for (const double place : {0.25, 0.5, 0.75, 0.97}) {
    if (!source.seek(place)) break;
    decoder.restart();
    singles.clear();
    constexpr int kMostPackets = 64;  // until a picture comes out
    for (int i = 0; i < kMostPackets && singles.empty() && source.read(*packet); ++i)
      decoder.decode(*packet, ordinal++, on_frame);
    if (singles.empty()) decoder.drain(on_frame);
    if (!singles.empty()) frames.push_back(singles.front());
  }
  return frames;
}

std::vector<int64_t> evenly(int64_t count) {
  constexpr int64_t kRead = 9;
  std::vector<int64_t> places;
  for (int64_t i = 0; i < std::min(kRead, count); ++i)
    places.push_back(count <= kRead ? i : i * (count - 1) / (kRead - 1));
  return places;
}

std::vector<Thumbnail> frames_of_folder(const DatasetItem& item, const std::atomic<bool>* cancel) {
  const FolderIndex index = index_folder(item.path, item.filename_pattern, item.range);
  PictureReader reader;
  std::vector<Thumbnail> frames;
  read_folder(index, evenly(index.frame_count()), reader, [&](int64_t, const Frame& frame) {
    if (cancel && cancel->load(std::memory_order_relaxed)) throw Canceled{};
    frames.push_back(thumbnail_of(frame));
  });
  return frames;
}

std::vector<Thumbnail> frames_of_cached(const DatasetItem& item) {
  const Shard shard(item.path);
  const ShardClip& clip = shard.clip(item.name);
  ShardReader reader;
  std::vector<Thumbnail> frames;
  reader.read(shard, clip, evenly(clip.frame_count()),
              [&](int64_t, const Frame& frame) { frames.push_back(thumbnail_of(frame)); });
  return frames;
}

Glimpse halved(const Thumbnail& frame) {
  Glimpse half{};
  constexpr size_t kHalf = kGlimpseSide;
  for (size_t y = 0; y < kHalf; ++y)
    for (size_t x = 0; x < kHalf; ++x) {
      const uint8_t* const at = &frame[2 * y * kSide + 2 * x];
      half[y * kHalf + x] = static_cast<uint8_t>((at[0] + at[1] + at[kSide] + at[kSide + 1] + 2) / 4);
    }
  return half;
}

Thumbnail median_of(const std::vector<Thumbnail>& frames) {
  Thumbnail median{};
  std::vector<uint8_t> values(frames.size());
  for (size_t cell = 0; cell < median.size(); ++cell) {
    for (size_t k = 0; k < frames.size(); ++k) values[k] = frames[k][cell];
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::ranges::nth_element(values, middle);
    median[cell] = *middle;
  }
  return median;
}

}  // namespace

Thumbnail thumbnail_of(const Frame& frame) {
  const Thumbnail stored = as_stored(frame);
  if (frame.rotation == 0 && !frame.mirror) return stored;
  Thumbnail shown{};
  constexpr size_t kLast = kSide - 1;
  for (size_t y = 0; y < kSide; ++y)
    for (size_t x = 0; x < kSide; ++x) {
      const size_t u = frame.mirror ? kLast - x : x;
      // Where the shown cell (u, y) is in the stored picture.
      const size_t column = frame.rotation == 0     ? u
                            : frame.rotation == 90  ? y
                            : frame.rotation == 180 ? kLast - u
                                                    : kLast - y;
      const size_t row = frame.rotation == 0     ? y
                         : frame.rotation == 90  ? kLast - u
                         : frame.rotation == 180 ? kLast - y
                                                 : u;
      shown[y * kSide + x] = stored[row * kSide + column];
    }
  return shown;
}

ClipSketch sketch_of(const DatasetItem& item, const std::atomic<bool>* cancel) {
  ClipSketch sketch;
  try {
    std::vector<Thumbnail> frames;
    switch (item.kind) {
      case ItemKind::video:
        frames = frames_of_video(item, cancel);
        break;
      case ItemKind::frame_folder:
        frames = frames_of_folder(item, cancel);
        break;
      case ItemKind::cached:
        frames = frames_of_cached(item);
        break;
    }
    if (frames.empty()) return sketch;
    sketch.background = median_of(frames);
    for (const Thumbnail& frame : chosen(frames, kSketchFrames)) sketch.frames.push_back(halved(frame));
  } catch (const FileError&) {  // whoever needs the clip reports it
  }
  return sketch;
}

std::string to_bytes(const ClipSketch& sketch) {
  std::string bytes;
  if (sketch.frames.empty()) return bytes;
  bytes.assign(sketch.background.begin(), sketch.background.end());
  for (const Glimpse& frame : sketch.frames) bytes.append(frame.begin(), frame.end());
  return bytes;
}

std::optional<ClipSketch> sketch_from(std::string_view bytes) {
  ClipSketch sketch;
  if (bytes.empty()) return sketch;
  constexpr size_t kBackground = std::tuple_size_v<Thumbnail>, kFrame = std::tuple_size_v<Glimpse>;
  const size_t rest = bytes.size() - std::min(bytes.size(), kBackground), count = rest / kFrame;
  if (rest % kFrame != 0 || count < 1 || count > kSketchFrames) return std::nullopt;
  std::memcpy(sketch.background.data(), bytes.data(), kBackground);
  sketch.frames.resize(count);
  for (size_t k = 0; k < count; ++k)
    std::memcpy(sketch.frames[k].data(), bytes.data() + kBackground + k * kFrame, kFrame);
  return sketch;
}

}  // namespace laban
