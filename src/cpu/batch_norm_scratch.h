// What batch norm's kernels and whoever gives them scratch must agree on.
#pragma once

#include "cpu/elements.h"
#include "cpu/tiles.h"

namespace laban::cpu {

/// How the rows (all channels of one place) are cut: some 100 KB of floats to a tile, and so many rows that
/// the tile's sums are small beside them; at most 256 tiles, whose sums are added one after the other.
inline Tiles batch_norm_tiles(const Shape& shape) {
  const int64_t pixels = shape.pixels();
  return {pixels, std::max<int64_t>({pixels / 256 + 1, 32768 / shape.c, 48})};
}

inline size_t batch_norm_scratch(const BatchNormTrain& op) {
  const int64_t channels = op.x.shape.c;
  return ScratchCutter::bytes_for(
      {bytes_of<double>(2 * channels * batch_norm_tiles(op.x.shape).tiles()), bytes_of<float>(channels)});
}
inline size_t batch_norm_scratch(const BatchNormInfer& op) {
  return ScratchCutter::bytes_for({bytes_of<float>(op.x.shape.c)});
}
inline size_t batch_norm_scratch(const BatchNormBackward& op) {
  const int64_t channels = op.x.shape.c;
  const size_t floats = bytes_of<float>(channels);
  return ScratchCutter::bytes_for(
      {bytes_of<double>(2 * channels * batch_norm_tiles(op.x.shape).tiles()), floats, floats, floats});
}

}  // namespace laban::cpu
