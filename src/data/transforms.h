// Where to look in a frame: chosen once per clip, the same for all its frames; and the one pass that looks.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "core/rng.h"
#include "core/tensor.h"
#include "data/augment.h"
#include "data/frame.h"

namespace laban {

/// How a picture is scaled before a square is cut out of it.
enum class ScaleRule : uint8_t {
  short_side,  // RandomShortSideScale: the short side becomes a size of short_side_min..short_side_max
  area,        // RandomResizedCrop: the crop shows a share of the picture's area, at some aspect
  stretch,     // every picture becomes stretch_width x stretch_height, whatever its aspect
};

/// Where evaluation crops: the middle, or an end of the longer side (left or top; right or bottom).
enum class CropPlace : uint8_t { centre, first, last };

struct TransformSettings {
  ScaleRule rule = ScaleRule::short_side;
  /// Integer, uniform, inclusive; evaluation uses the minimum (with rule `area` too).
  int short_side_min = 128, short_side_max = 160;
  double area_min = 0.08, area_max = 1, aspect_min = 3.0 / 4, aspect_max = 4.0 / 3;  // width to height
  int stretch_width = 171, stretch_height = 128;
  int crop = 112;
  CropPlace place = CropPlace::centre;  // evaluation
  double flip = 0.5;                    // RandomHorizontalFlip
  double flip_vertically = 0;           // RandomVerticalFlip
  AugmentSettings augment{};
  std::array<float, 3> mean{0.45f, 0.45f, 0.45f}, std{0.225f, 0.225f, 0.225f};
};

/// UsageError where these cannot make a clip (a crop larger than the scaled picture, a deviation of zero).
void check(const TransformSettings& settings);

/// Scale the shown picture to scaled_width x scaled_height, take crop_width x crop_height at (x, y), mirror
/// from left to right if flip, from top to bottom if flip_vertically.
struct ClipGeometry {
  int scaled_width = 0, scaled_height = 0;
  int x = 0, y = 0, crop_width = 0, crop_height = 0;
  bool flip = false, flip_vertically = false;
};
/// Random scale, crop place and flips for a shown picture of width x height. The short side becomes the drawn
/// size, the long side floor(long * size / short).
ClipGeometry random_geometry(const TransformSettings& settings, int width, int height, Rng& rng);
/// The least scale, the centre (offset (scaled - crop)/2, halves rounded to even), no flips.
ClipGeometry center_geometry(const TransformSettings& settings, int width, int height);
/// The same, but along the longer side the end that settings.place names.
ClipGeometry evaluation_geometry(const TransformSettings& settings, int width, int height);

/// Makes network input of frames, one by one: colour conversion, antialiased bilinear resize of only the
/// crop's pixels, flip, (value/255 - mean)/std. docs/data.md has the exact definition. Keeps its tables and
/// buffers from clip to clip: one per thread.
class ClipWriter {
 public:
  /// For the frames that follow. The tables are made for the first frame's size, and again where another size
  /// comes.
  void begin(const ClipGeometry& geometry, const TransformSettings& settings);
  /// Writes crop_height x crop_width x 3 values (f32, channels R, G, B innermost) at `out`.
  void write(const Frame& frame, float* out);

 private:
  /// One axis of one plane: which samples make each output sample, and with which weights.
  struct Axis {
    int first = 0, count = 0;   // the samples that any output needs
    int taps = 0;               // per output; the rest of a shorter window has weight zero
    std::vector<int> start;     // by output: its first sample, relative to `first`
    std::vector<int> end;       // and the one behind its last
    std::vector<float> weight;  // outputs x taps
  };
  struct PlaneTables {
    Axis rows, columns;
  };
  /// `outputs` samples from `begin` on of an axis of `source` samples; `ratio` source samples to one scaled
  /// sample.
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

/// The same for several frames: writes frames.size() x crop_height x crop_width x 3 values at `out`.
void frames_to_input(std::span<const Frame> frames, const ClipGeometry& geometry,
                     const TransformSettings& settings, float* out);

}  // namespace laban
