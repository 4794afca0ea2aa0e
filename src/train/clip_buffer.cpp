#include "train/clip_buffer.h"

#include <cstring>

#include "core/backend.h"
#include "layers/padding.h"

namespace laban {
namespace {

/// Ensures a capacity of `bytes`.
template <class Allocate>
std::byte* reserved(std::unique_ptr<Memory>& memory, size_t bytes, Allocate allocate) {
  if (!memory || memory->bytes() < bytes) {
    memory.reset();  // first, so that both need not fit at the same time
    memory = allocate(bytes);
  }
  return static_cast<std::byte*>(memory->data());
}

}  // namespace

void ClipBuffer::begin(std::shared_ptr<const Batch> batch) {
  Place& place = places_[next_];
  place.shape = batch->shape;
  place.made_of_frames = !batch->placed.empty();
  place.made_of_frames ? begin_frames(place, *batch) : begin_pixels(place, *batch);
  place.batch = std::move(batch);
}

void ClipBuffer::begin_pixels(Place& place, const Batch& batch) {
  Tensor pixels(nullptr, DType::f32, batch.shape, backend_.device());
  pixels.data = reserved(place.uploaded, pixels.bytes(), [&](size_t n) { return backend_.allocate(n); });
  if (backend_.device() == Device::cpu) {
    backend_.upload(pixels, batch.clips.data());
    return;
  }
  if (batch.staged) return backend_.begin_upload(pixels, batch.clips.data());
  void* const staging =
      reserved(place.staging, pixels.bytes(), [&](size_t n) { return backend_.allocate_staging(n); });
  std::memcpy(staging, batch.clips.data(), pixels.bytes());
  backend_.begin_upload(pixels, staging);
}

/// All clips' frames in one block of the backend's memory: first their placements, then their bytes, clip by
/// clip.
void ClipBuffer::begin_frames(Place& place, const Batch& batch) {
  const Shape placements = placements_shape(batch.shape.n * batch.shape.t);
  int64_t count = 0;
  for (const PlacedClip& clip : batch.placed) count += static_cast<int64_t>(clip.bytes.size());
  const auto bytes_at = static_cast<size_t>(placements.count()), all = bytes_at + static_cast<size_t>(count);
  const size_t copied = batch.staged ? bytes_at : all;
  // Batches differ a little in size: with some headroom, hardly any after the first needs a reallocation.
  std::byte* const staging =
      reserved(place.staging, copied, [&](size_t n) { return backend_.allocate_staging(n + n / 4); });
  std::byte* const uploaded =
      reserved(place.uploaded, all, [&](size_t n) { return backend_.allocate(n + n / 4); });
  const auto upload = [&](size_t at, const void* from, size_t bytes) {
    const Shape shape = Shape::vector(static_cast<int64_t>(bytes));
    if (bytes > 0) backend_.begin_upload(Tensor(uploaded + at, DType::u8, shape, backend_.device()), from);
  };

  std::byte* to_frame = staging;
  size_t begin = 0;
  for (const PlacedClip& clip : batch.placed) {
    for (FramePlacement frame : clip.frames) {
      for (FramePlane& plane : frame.planes) plane.begin += static_cast<int64_t>(begin);
      std::memcpy(to_frame, &frame, sizeof frame);
      to_frame += sizeof frame;
    }
    if (batch.staged)
      upload(bytes_at + begin, clip.bytes.data(), clip.bytes.size());
    else
      std::memcpy(staging + bytes_at + begin, clip.bytes.data(), clip.bytes.size());
    begin += clip.bytes.size();
  }
  upload(0, staging, copied);
  place.frames = {.bytes = Tensor(uploaded + bytes_at, DType::u8, Shape::vector(count), backend_.device()),
                  .placements = Tensor(uploaded, DType::u8, placements, backend_.device()),
                  .y = {},
                  .scale = batch.scale,
                  .shift = batch.shift};
}

Tensor ClipBuffer::take() {
  Place& place = places_[next_];
  next_ = 1 - next_;
  backend_.await_uploads();
  Shape shape = place.shape;
  shape.c = padded(shape.c, backend_.channel_multiple(compute_));
  const Tensor pixels(place.uploaded->data(), DType::f32, place.shape, backend_.device());
  if (!place.made_of_frames && compute_ == DType::f32 && shape == place.shape) return pixels;
  Tensor clips(nullptr, compute_, shape, backend_.device());
  clips.data = reserved(place.clips, clips.bytes(), [&](size_t n) { return backend_.allocate(n); });
  if (place.made_of_frames) {
    place.frames.y = clips;
    backend_.run(place.frames, {});
  } else {
    backend_.run(Cast{pixels, clips}, {});
  }
  return clips;
}

}  // namespace laban
