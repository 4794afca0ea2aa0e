// From decoded frames to the network's input, in one pass over the crop's pixels.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/clip/geometry.h"
#include "data/picture/frame.h"

namespace laban {

/// Converts frames to network input, one by one: color conversion, antialiased bilinear resize of only the
/// crop's pixels, flip, (value/255 - mean)/std. Defined exactly in docs/data.md. Reuses its tables and
/// buffers from clip to clip: one per thread.
class ClipWriter {
 public:
  /// Applies to the frames that follow. The tables are made for the first frame's size, and again if the size
  /// changes.
  void begin(const ClipGeometry& geometry, const TransformSettings& settings);
  /// Writes crop_height x crop_width x 3 values (f32, channels R, G, B innermost) to `out`.
  void write(const Frame& frame, float* out);

 private:
  /// One axis of one plane: the input samples of each output sample, and their weights.
  struct Axis {
    int first = 0, count = 0;   // the samples that any output needs
    int taps = 0;               // per output; the rest of a shorter window has weight zero
    std::vector<int> start;     // per output: its first sample, relative to `first`
    std::vector<int> end;       // per output: one past its last sample
    std::vector<float> weight;  // outputs x taps
  };
  struct PlaneTables {
    Axis rows, columns;
  };
  /// `outputs` samples, starting at `begin`, of an axis of `source` samples; `ratio` source samples per
  /// scaled sample.
  static void make_axis(Axis& axis, int source, double ratio, int begin, int outputs);
  void make_tables(const Frame& frame);
  void resize(const uint8_t* plane, int stride, int channels, const PlaneTables& tables, float* out);
  void emit(const Frame& frame, float* out) const;

  ClipGeometry geometry_;
  TransformSettings settings_;
  Frame like_;  // what the tables were made for: size, layout, orientation
  bool ready_ = false;
  PlaneTables luma_, chroma_;
  int rows_ = 0, columns_ = 0;  // of the crop, in the frame's stored orientation
  std::vector<float> row_;      // one row of a plane after the vertical pass
  std::vector<float> crop_;     // in stored orientation: Y, U, V planes, or RGB interleaved
};

/// The same for several frames: writes frames.size() x crop_height x crop_width x 3 values to `out`.
void frames_to_input(std::span<const Frame> frames, const ClipGeometry& geometry,
                     const TransformSettings& settings, float* out);

}  // namespace laban
