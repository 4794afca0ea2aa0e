// Decoded frames as they leave the decoder: u8 planes, unchanged until a single pass turns them into network
// input.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

namespace laban {

enum class PixelLayout : uint8_t { yuv420p, yuv422p, yuv444p, gray8, rgb24 };
enum class ColorMatrix : uint8_t { bt601, bt709, bt2020 };

/// One picture. `owner`, if set, keeps the planes alive (a vector); otherwise the function that returns the
/// frame says how long they are valid. Chroma samples are centered on the luma samples that share them.
struct Frame {
  std::array<const uint8_t*, 3> plane{};
  std::array<int, 3> stride{};  // bytes from row to row
  int width = 0, height = 0;    // as stored
  PixelLayout layout = PixelLayout::yuv420p;
  ColorMatrix matrix = ColorMatrix::bt601;
  bool full_range = false;
  int rotation = 0;     // degrees clockwise by which a player rotates the picture: 0, 90, 180, 270
  bool mirror = false;  // horizontal flip, after the rotation
  std::shared_ptr<const void> owner;

  int shown_width() const { return rotation % 180 ? height : width; }
  int shown_height() const { return rotation % 180 ? width : height; }
};

}  // namespace laban
