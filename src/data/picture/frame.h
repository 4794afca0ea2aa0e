// Decoded frames as they leave the decoder: u8 planes, untouched, until one pass makes the network's input.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

namespace laban {

enum class PixelLayout : uint8_t { yuv420p, yuv422p, yuv444p, gray8, rgb24 };
enum class ColorMatrix : uint8_t { bt601, bt709, bt2020 };

/// One picture. `owner` keeps the planes alive where it is set (a vector); else whoever handed the frame out
/// says how long they live. Chroma samples lie in the middle of the luma samples that share them.
struct Frame {
  std::array<const uint8_t*, 3> plane{};
  std::array<int, 3> stride{};  // bytes from row to row
  int width = 0, height = 0;    // as stored
  PixelLayout layout = PixelLayout::yuv420p;
  ColorMatrix matrix = ColorMatrix::bt601;
  bool full_range = false;
  int rotation = 0;     // degrees clockwise a player turns the picture: 0, 90, 180, 270
  bool mirror = false;  // horizontal flip, after the rotation
  std::shared_ptr<const void> owner;

  int shown_width() const { return rotation % 180 ? height : width; }
  int shown_height() const { return rotation % 180 ? width : height; }
};

}  // namespace laban
