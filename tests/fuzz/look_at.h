// What a fuzz target does with accepted frames: reads everything that a network would see.
#pragma once

#include <vector>

#include "data/clip/clip_writer.h"

namespace laban::fuzz {

/// Makes a small clip of every frame; the pass reads from edge to edge of its planes.
class Viewer {
 public:
  void operator()(const Frame& frame) {
    TransformSettings small;
    small.short_side_min = small.short_side_max = 16, small.crop = 16;
    const bool turned = frame.rotation % 180 != 0;
    writer_.begin(
        evaluation_geometry(small, turned ? frame.height : frame.width, turned ? frame.width : frame.height),
        small);
    writer_.write(frame, out_.data());
  }

 private:
  ClipWriter writer_;
  std::vector<float> out_ = std::vector<float>(16 * 16 * 3);
};

}  // namespace laban::fuzz
