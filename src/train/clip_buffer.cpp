#include "train/clip_buffer.h"

namespace laban {

Tensor ClipBuffer::load(const Batch& batch) {
  const auto place = [&](std::unique_ptr<Memory>& memory, DType dtype) {
    Tensor tensor(nullptr, dtype, batch.shape, backend_.device());
    if (!memory || memory->bytes() < tensor.bytes()) memory = backend_.allocate(tensor.bytes());
    tensor.data = memory->data();
    return tensor;
  };
  const Tensor pixels = place(pixels_, DType::f32);
  backend_.upload(pixels, batch.clips.data());
  if (compute_ == DType::f32) return pixels;
  const Tensor converted = place(converted_, compute_);
  backend_.run(Cast{pixels, converted}, {});
  return converted;
}

}  // namespace laban
