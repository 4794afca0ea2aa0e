// From planes of bytes to the network's input, in one pass over the crop's pixels.
//
// A scaled sample X of an axis of N samples, scaled to S, lies at c = (X + 1/2) N/S among sample centers j +
// 1/2. Its value is the mean of the samples under a triangle of half-width f = max(1, N/S) around c:
// weight(j) = max(0, 1 - |j + 1/2 - c|/f), divided by the sum of the weights that lie inside the picture.
// (The convention of Pillow's and PyTorch's antialiased bilinear resize.) Subsampled chroma has N/2 samples
// for N, each centered on its two luma samples.
//
// Luma and chroma planes are resized separately, in their stored orientation, and only within the crop; then
// each pixel is converted to RGB, clamped to 0..255, normalized, and written to its place in the displayed
// picture. Resizing is linear and separable, so the order of the passes and rotating afterwards affect only
// rounding.
#include "data/clip/clip_writer.h"

#include <algorithm>
#include <cmath>

#include "core/cloned.h"
#include "core/error.h"
#include "data/clip/frame_view.h"

namespace laban {
namespace {

/// (value/255 - mean)/std as value*scale + shift.
struct Normalize {
  float scale[3], shift[3];
};

Normalize normalize_of(const TransformSettings& settings) {
  Normalize n{};
  for (size_t c = 0; c < 3; ++c) {
    n.scale[c] = 1 / (255 * settings.std[c]);
    n.shift[c] = -settings.mean[c] / settings.std[c];
  }
  return n;
}

float clamped(float value) { return std::min(255.0f, std::max(0.0f, value)); }

/// The vertical pass for one output row: to[i] = sum over t of weight[t] * (line t)[i]. Two lines per
/// iteration, to write less.
void blend_lines(const uint8_t* lines, int64_t stride, int width, const float* weight, int taps,
                 float* __restrict to) {
  for (int i = 0; i < width; ++i) to[i] = weight[0] * static_cast<float>(lines[i]);
  for (int t = 1; t < taps; t += 2) {
    const float a = weight[t], b = t + 1 < taps ? weight[t + 1] : 0;
    // Short windows end with weights of zero, whose lines may be outside the picture.
    if (a == 0) return;
    const uint8_t* const p = lines + t * stride;
    const uint8_t* const q = b == 0 ? p : p + stride;
    for (int i = 0; i < width; ++i) to[i] += a * static_cast<float>(p[i]) + b * static_cast<float>(q[i]);
  }
}

/// The horizontal pass for one row: output o is the sum over t of weight[o * taps + t] * from[start[o] + t].
/// Small numbers of taps are known to the compiler (kTaps = taps); large ones (kTaps = 0) are a multiple of
/// 8, summed in eight lanes.
template <int kTaps, int kChannels>
void blend_columns(const float* from, const int* start, const float* weight, int taps, int outputs,
                   float* to) {
  for (int o = 0; o < outputs; ++o) {
    const float* const w = weight + int64_t{o} * (kTaps > 0 ? kTaps : taps);
    for (int k = 0; k < kChannels; ++k) {
      const float* const p = from + start[o] * kChannels + k;
      float sum = 0;
      if constexpr (kTaps > 0) {
        for (int t = 0; t < kTaps; ++t) sum += w[t] * p[t * kChannels];
      } else {
        float lane[8] = {};
        for (int t = 0; t < taps; t += 8)
          for (int i = 0; i < 8; ++i) lane[i] += w[t + i] * p[(t + i) * kChannels];
        for (const float part : lane) sum += part;
      }
      to[o * kChannels + k] = sum;
    }
  }
}

using BlendColumns = void (*)(const float*, const int*, const float*, int, int, float*);

template <int kChannels>
BlendColumns blend_columns_of(int taps) {
  constexpr BlendColumns kByTaps[] = {blend_columns<0, kChannels>, blend_columns<1, kChannels>,
                                      blend_columns<2, kChannels>, blend_columns<3, kChannels>,
                                      blend_columns<4, kChannels>, blend_columns<5, kChannels>,
                                      blend_columns<6, kChannels>, blend_columns<7, kChannels>};
  return kByTaps[taps < 8 ? taps : 0];
}

}  // namespace

void ClipWriter::begin(const ClipGeometry& geometry, const TransformSettings& settings) {
  geometry_ = geometry;
  settings_ = settings;
  ready_ = false;
}

void ClipWriter::make_axis(Axis& axis, int source, double ratio, int begin, int outputs) {
  const double half_width = std::max(1.0, ratio);
  const auto center = [&](int output) { return (begin + output + 0.5) * ratio; };
  axis.start.resize(static_cast<size_t>(outputs));
  axis.end.resize(static_cast<size_t>(outputs));
  axis.taps = 0;
  // Every window is rounded to whole samples once and stored: the same formula, evaluated again elsewhere,
  // may be compiled with different rounding and give a window one sample longer than its slot in the table.
  for (size_t o = 0; o < axis.start.size(); ++o) {
    const double c = center(static_cast<int>(o));
    const int low = std::clamp(static_cast<int>(std::floor(c - half_width)), 0, source - 1);
    const int high = std::clamp(static_cast<int>(std::ceil(c + half_width)), low + 1, source);
    axis.start[o] = low, axis.end[o] = high;
    axis.taps = std::max(axis.taps, high - low);
  }
  if (axis.taps >= 8) axis.taps = (axis.taps + 7) / 8 * 8;  // for blend_columns
  axis.first = axis.start.front();
  axis.count = axis.end.back() - axis.first;
  axis.weight.assign(static_cast<size_t>(outputs) * static_cast<size_t>(axis.taps), 0.0f);
  for (size_t o = 0; o < axis.start.size(); ++o) {
    const double c = center(static_cast<int>(o));
    const auto weight = [&](int j) { return std::max(0.0, 1 - std::abs(j + 0.5 - c) / half_width); };
    double sum = 0;
    for (int j = axis.start[o]; j < axis.end[o]; ++j) sum += weight(j);
    // Never zero: the nearest sample's center is at most 1/2 away, the triangle at least 1 wide.
    float* const to = &axis.weight[o * static_cast<size_t>(axis.taps)];
    for (int j = axis.start[o]; j < axis.end[o]; ++j)
      to[j - axis.start[o]] = static_cast<float>(weight(j) / sum);
    axis.start[o] -= axis.first;
    axis.end[o] -= axis.first;
  }
}

void ClipWriter::make_tables(const Frame& frame) {
  const StoredCrop crop = stored_crop(frame, geometry_);
  rows_ = crop.rows;
  columns_ = crop.columns;
  const auto make_plane = [&](PlaneTables& tables, Subsampling sub) {
    make_axis(tables.rows, (frame.height + sub.y - 1) / sub.y, crop.ratio_y / sub.y, crop.row, rows_);
    make_axis(tables.columns, (frame.width + sub.x - 1) / sub.x, crop.ratio_x / sub.x, crop.column, columns_);
  };
  make_plane(luma_, {});
  if (has_chroma(frame.layout)) make_plane(chroma_, subsampling_of(frame.layout));
  crop_.resize(static_cast<size_t>(rows_) * static_cast<size_t>(columns_) * 3);
  like_ = frame;
  like_.owner.reset();
  ready_ = true;
}

LABAN_CLONED void ClipWriter::resize(const uint8_t* plane, int stride, int channels,
                                     const PlaneTables& tables, float* out) {
  const Axis &rows = tables.rows, &columns = tables.columns;
  const int width = columns.count * channels;
  // Windows at the right edge read up to `taps` samples too far, with weight zero: these must not be NaN.
  row_.assign(static_cast<size_t>(width + columns.taps * channels), 0.0f);
  const BlendColumns blend =
      channels == 1 ? blend_columns_of<1>(columns.taps) : blend_columns_of<3>(columns.taps);
  for (int r = 0; r < rows_; ++r) {
    const int64_t line = rows.first + rows.start[static_cast<size_t>(r)];
    blend_lines(plane + line * stride + int64_t{columns.first} * channels, stride, width,
                &rows.weight[static_cast<size_t>(r) * static_cast<size_t>(rows.taps)], rows.taps,
                row_.data());
    blend(row_.data(), columns.start.data(), columns.weight.data(), columns.taps, columns_,
          out + static_cast<int64_t>(r) * columns_ * channels);
  }
}

LABAN_CLONED void ClipWriter::emit(const Frame& frame, float* out) const {
  const ClipGeometry& g = geometry_;
  const Walk walk = walk_of(frame, g, columns_);
  const Normalize n = normalize_of(settings_);
  const int64_t plane = static_cast<int64_t>(rows_) * columns_;
  const FrameColor m = color_of(frame.matrix, frame.full_range);
  for (int i = 0; i < g.crop_height; ++i) {
    const float* from = crop_.data();
    const int64_t begin = walk.base + i * walk.down;
    float* const to = out + static_cast<int64_t>(i) * g.crop_width * 3;
    if (frame.layout == PixelLayout::rgb24) {
      from += begin * 3;
      for (int64_t j = 0; j < g.crop_width; ++j)
        for (int c = 0; c < 3; ++c)
          to[j * 3 + c] = clamped(from[j * walk.right * 3 + c]) * n.scale[c] + n.shift[c];
    } else if (frame.layout == PixelLayout::gray8) {
      from += begin;
      for (int64_t j = 0; j < g.crop_width; ++j) {
        const float y = clamped(from[j * walk.right] * m.gain + m.offset);
        for (int c = 0; c < 3; ++c) to[j * 3 + c] = y * n.scale[c] + n.shift[c];
      }
    } else {
      from += begin;
      for (int64_t j = 0; j < g.crop_width; ++j) {
        const float* const p = from + j * walk.right;
        const float y = p[0] * m.gain + m.offset, u = p[plane] - 128, v = p[2 * plane] - 128;
        to[j * 3 + 0] = clamped(y + m.vr * v) * n.scale[0] + n.shift[0];
        to[j * 3 + 1] = clamped(y + m.ug * u + m.vg * v) * n.scale[1] + n.shift[1];
        to[j * 3 + 2] = clamped(y + m.ub * u) * n.scale[2] + n.shift[2];
      }
    }
  }
}

void ClipWriter::write(const Frame& frame, float* out) {
  if (!ready_ || frame.width != like_.width || frame.height != like_.height || frame.layout != like_.layout ||
      frame.rotation != like_.rotation || frame.mirror != like_.mirror)
    make_tables(frame);
  if (frame.layout == PixelLayout::rgb24) {
    resize(frame.plane[0], frame.stride[0], 3, luma_, crop_.data());
  } else {
    const int64_t plane = static_cast<int64_t>(rows_) * columns_;
    resize(frame.plane[0], frame.stride[0], 1, luma_, crop_.data());
    if (has_chroma(frame.layout))
      for (int p = 1; p < 3; ++p)
        resize(frame.plane[p], frame.stride[p], 1, chroma_, crop_.data() + p * plane);
  }
  emit(frame, out);
}

void frames_to_input(std::span<const Frame> frames, const ClipGeometry& geometry,
                     const TransformSettings& settings, float* out) {
  ClipWriter writer;
  writer.begin(geometry, settings);
  for (const Frame& frame : frames) {
    writer.write(frame, out);
    out += static_cast<int64_t>(geometry.crop_width) * geometry.crop_height * 3;
  }
}

}  // namespace laban
