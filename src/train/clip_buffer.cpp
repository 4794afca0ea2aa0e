#include "train/clip_buffer.h"

#include <cstring>

#include "layers/padding.h"

namespace laban {
namespace {

/// Makes sure of room for `bytes`.
template <class Allocate>
void* room(std::unique_ptr<Memory>& memory, size_t bytes, Allocate allocate) {
  if (!memory || memory->bytes() < bytes) {
    memory.reset();  // first, so that both need not fit at once
    memory = allocate(bytes);
  }
  return memory->data();
}

}  // namespace

void ClipBuffer::begin(const Batch& batch) {
  Place& place = places_[next_];
  place.shape = batch.shape;
  Tensor pixels(nullptr, DType::f32, batch.shape, backend_.device());
  pixels.data = room(place.pixels, pixels.bytes(), [&](size_t n) { return backend_.allocate(n); });
  if (backend_.device() == Device::cpu) {
    backend_.upload(pixels, batch.clips.data());
    return;
  }
  void* const staging =
      room(place.staging, pixels.bytes(), [&](size_t n) { return backend_.allocate_staging(n); });
  std::memcpy(staging, batch.clips.data(), pixels.bytes());
  backend_.begin_upload(pixels, staging);
}

Tensor ClipBuffer::take() {
  Place& place = places_[next_];
  next_ = 1 - next_;
  backend_.await_uploads();
  const Tensor pixels(place.pixels->data(), DType::f32, place.shape, backend_.device());
  Shape shape = place.shape;
  shape.c = padded(shape.c, backend_.channel_multiple(compute_));
  if (compute_ == DType::f32 && shape == place.shape) return pixels;
  Tensor clips(nullptr, compute_, shape, backend_.device());
  clips.data = room(place.clips, clips.bytes(), [&](size_t n) { return backend_.allocate(n); });
  backend_.run(Cast{pixels, clips}, {});
  return clips;
}

}  // namespace laban
