// A device's path to the network's input against ClipWriter's: same planes, same geometry, the reference's
// op.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "data/clip/place_frame.h"
#include "reference/reference_backend.h"

using namespace laban;

namespace {

/// A frame of random bytes; chroma planes as the layout has them.
Frame random_frame(PixelLayout layout, int width, int height, std::vector<std::vector<uint8_t>>& planes,
                   Rng& rng) {
  Frame frame;
  frame.layout = layout;
  frame.width = width, frame.height = height;
  const bool rgb = layout == PixelLayout::rgb24, gray = layout == PixelLayout::gray8;
  const int sub_x = layout == PixelLayout::yuv420p || layout == PixelLayout::yuv422p ? 2 : 1;
  const int sub_y = layout == PixelLayout::yuv420p ? 2 : 1;
  planes.assign(rgb || gray ? 1 : 3, {});
  for (size_t p = 0; p < planes.size(); ++p) {
    const int columns = p == 0 ? width * (rgb ? 3 : 1) : (width + sub_x - 1) / sub_x;
    const int rows = p == 0 ? height : (height + sub_y - 1) / sub_y;
    frame.stride[p] = columns + 7;
    planes[p].resize(static_cast<size_t>(frame.stride[p]) * static_cast<size_t>(rows));
    for (uint8_t& byte : planes[p]) byte = static_cast<uint8_t>(rng.next_u32());
    frame.plane[p] = planes[p].data();
  }
  return frame;
}

}  // namespace

TEST_CASE("the op makes of a placed frame what ClipWriter makes of the frame") {
  TransformSettings settings;
  settings.crop = 24;
  settings.short_side_min = 26, settings.short_side_max = 40;
  settings.mean = {0.43f, 0.39f, 0.38f}, settings.std = {0.228f, 0.221f, 0.217f};
  ReferenceBackend backend;
  Rng rng(4, Purpose::test);
  double worst = 0;
  size_t copied = 0, whole = 0;
  for (const PixelLayout layout : {PixelLayout::yuv420p, PixelLayout::yuv422p, PixelLayout::yuv444p,
                                   PixelLayout::gray8, PixelLayout::rgb24})
    for (const int rotation : {0, 90, 180, 270})
      for (const bool mirror : {false, true})
        for (const auto& [width, height] : {std::pair{97, 61}, {64, 150}, {31, 29}}) {
          std::vector<std::vector<uint8_t>> planes;
          Frame frame = random_frame(layout, width, height, planes, rng);
          frame.rotation = rotation;
          frame.mirror = mirror;
          frame.full_range = rng.coin(0.5);
          frame.matrix = rng.coin(0.5) ? ColorMatrix::bt709 : ColorMatrix::bt601;
          const ClipGeometry geometry =
              random_geometry(settings, frame.shown_width(), frame.shown_height(), rng);
          std::vector<float> expected(24 * 24 * 3);
          ClipWriter writer;
          writer.begin(geometry, settings);
          writer.write(frame, expected.data());

          std::pmr::vector<uint8_t> bytes(13, 0);  // another frame's, before
          FramePlacement placement = place_frame(frame, geometry, bytes);
          copied += bytes.size();
          for (const auto& plane : planes) whole += plane.size();
          std::vector<uint8_t> raw(sizeof placement);
          std::memcpy(raw.data(), &placement, raw.size());
          std::vector<double> got(expected.size());
          ClipsFromFrames op{.bytes = Tensor(bytes.data(), Shape::vector(static_cast<int64_t>(bytes.size()))),
                             .placements = Tensor(raw.data(), placements_shape(1)),
                             .y = Tensor(got.data(), {1, 3, 1, 24, 24})};
          for (size_t c = 0; c < 3; ++c) {
            op.scale[c] = 1 / (255 * settings.std[c]);
            op.shift[c] = -settings.mean[c] / settings.std[c];
          }
          backend.run(op, {});
          for (size_t i = 0; i < got.size(); ++i)
            worst = std::max(worst, std::abs(got[i] - static_cast<double>(expected[i])));
        }
  // A gray level is 0.018 here; ClipWriter computes in f32.
  CHECK(worst < 5e-5);
  CHECK(copied < whole);  // only what the crop looks at travels
}
