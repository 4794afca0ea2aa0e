// The network's input from decoded frames, a pixel at a time. Formula: math/frame_pixel.h.
#include "core/frame_placement.h"
#include "reference/loops.h"

namespace laban::reference {

template <>
size_t scratch_bytes(const ClipsFromFrames&) {
  return 0;
}
template <>
void run(const ClipsFromFrames& op, Scratch) {
  const auto* bytes = op.bytes.as<uint8_t>();
  const auto* frames = reinterpret_cast<const FramePlacement*>(op.placements.as<uint8_t>());
  const Shape& shape = op.y.shape;
  with_float_type(op.y.dtype, [&]<class T>() {
    T* y = op.y.as<T>();
    for (int64_t frame = 0; frame < shape.n * shape.t; ++frame)
      for (int64_t i = 0; i < shape.h; ++i)
        for (int64_t j = 0; j < shape.w; ++j) {
          const Rgb<double> pixel =
              frame_pixel<double>(bytes, frames[frame], static_cast<int>(i), static_cast<int>(j));
          const double values[3] = {pixel.r, pixel.g, pixel.b};
          for (size_t c = 0; c < static_cast<size_t>(shape.c); ++c, ++y)
            store(*y, c < 3 ? values[c] * static_cast<double>(op.scale[c]) + static_cast<double>(op.shift[c])
                            : 0.0);
        }
  });
}

}  // namespace laban::reference
