// From the bytes of decoded frames to the network's input, in one pass: resize, crop, turn, color,
// normalize, round, pad. A thread makes one pixel with all its channels; a block's pixels are of one frame,
// so that its placement is read by all threads at one address.
#include "core/frame_placement.h"
#include "cuda/kernels/device.h"

namespace laban::cuda {
namespace {

/// (value/255 - mean)/std as value*scale + shift.
struct Normalize {
  float scale[3], shift[3];
};

/// `channels` >= 3; n: elements of a store, which divides the channels.
template <class T, int n>
__global__ void __launch_bounds__(kThreads)
    clips_from_frames(const uint8_t* bytes, const FramePlacement* frames, T* y, int blocks_of_frame,
                      int height, int width, int channels, Normalize normalize) {
  const int frame = static_cast<int>(blockIdx.x) / blocks_of_frame;
  const int pixel =
      (static_cast<int>(blockIdx.x) % blocks_of_frame) * kThreads + static_cast<int>(threadIdx.x);
  if (pixel >= height * width) return;
  const Rgb<float> rgb = frame_pixel<float>(bytes, frames[frame], pixel / width, pixel % width);
  const float values[3] = {rgb.r * normalize.scale[0] + normalize.shift[0],
                           rgb.g * normalize.scale[1] + normalize.shift[1],
                           rgb.b * normalize.scale[2] + normalize.shift[2]};
  T* const to = y + (int64_t{frame} * height * width + pixel) * channels;
  for (int first = 0; first < channels; first += n) {
    Floats<n> pack;
    for (int v = 0; v < n; ++v) pack[v] = first + v < 3 ? values[first + v] : 0;
    store(to + first, pack);
  }
}

}  // namespace

void run(const ClipsFromFrames& op, Stream stream) {
  const Shape& shape = op.y.shape;
  const auto pixels = static_cast<int>(shape.h * shape.w);
  const int blocks = static_cast<int>(ceil_div(pixels, kThreads));
  Normalize normalize{};
  for (size_t c = 0; c < 3; ++c) normalize.scale[c] = op.scale[c], normalize.shift[c] = op.shift[c];
  const auto* frames = reinterpret_cast<const FramePlacement*>(op.placements.as<uint8_t>());
  const Launch at{.kernel = "clips from frames",
                  .shape = shape,
                  .grid = {narrow_extent(shape.n * shape.t * blocks), 1, 1},
                  .block = {kThreads, 1, 1},
                  .stream = stream};
  with_type(op.y.dtype, [&]<class T>() {
    const auto go = [&]<int n>() {
      launch(at, clips_from_frames<T, n>, op.bytes.as<uint8_t>(), frames, op.y.as<T>(), blocks,
             static_cast<int>(shape.h), static_cast<int>(shape.w), static_cast<int>(shape.c), normalize);
    };
    aligned(op.y) && shape.c % kPack<T> == 0 ? go.template operator()<kPack<T>>()
                                             : go.template operator()<1>();
  });
}

}  // namespace laban::cuda
