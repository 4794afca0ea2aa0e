// Convolutions of few channels, as those of more: the taps along w lie next to each other in memory, channels
// and all, and count as the channels of one tap.
//
//   k_t x k_h x k_w over C channels, stride s_w   =   k_t x k_h x 1 over k_w * C channels
//
// where a place of the new input begins s_w * C elements after the one before, and neighbors overlap. The
// padding along w must exist for that: a copy of the input has it written out. Weights, O,kT,kH,kW,I, are
// already in the right order.
#pragma once

#include <algorithm>

#include "core/conv_geometry.h"
#include "cpu/kernels/vectors.h"
#include "cpu/thread_pool.h"

namespace laban::cpu::LABAN_ISA {

struct WideTaps {
  ConvGeometry geometry;        // of the wide taps; x.w counts places, which overlap
  Shape from;                   // the input as it is
  int64_t place = 0, line = 0;  // elements of the copy from a place to the next, from a line to the next
  int64_t padding = 0;          // elements before a line's first

  explicit operator bool() const { return place > 0; }
  size_t copy_bytes(DType dtype) const {
    return static_cast<size_t>(from.n * from.t * from.h * line) * size_of(dtype);
  }
};

/// The wide form, where taps along w would otherwise be short sums; else an empty one.
inline WideTaps widened(const ConvGeometry& g) {
  constexpr int64_t kFewChannels = 8;
  const int64_t kernel = g.window.kernel[2], stride = g.window.stride[2];
  if (g.x.c > kFewChannels || kernel == 1) return {};
  WideTaps wide{.geometry = g, .from = g.x};
  wide.place = stride * g.x.c;
  wide.line = ((g.y.w - 1) * stride + kernel) * g.x.c;
  wide.padding = g.window.padding[2] * g.x.c;
  wide.geometry.x.c = kernel * g.x.c;
  wide.geometry.x.w = g.y.w;
  wide.geometry.window.kernel[2] = wide.geometry.window.stride[2] = 1;
  wide.geometry.window.padding[2] = 0;
  return wide;
}

/// copy = the lines of `from` with their padding.
template <class T>
void write_padding(const WideTaps& wide, const T* from, T* copy, ThreadPool& pool) {
  const int64_t lines = wide.from.n * wide.from.t * wide.from.h, line = wide.from.w * wide.from.c;
  constexpr int64_t kLines = 64;
  pool.for_each_tile(div_up(lines, kLines), [&](int64_t task, int) {
    for (int64_t i = task * kLines; i < std::min(lines, (task + 1) * kLines); ++i) {
      T* to = copy + i * wide.line;
      const int64_t before = std::min(wide.padding, wide.line);
      const int64_t real = std::min(line, wide.line - before);  // the kernel may never see a line's end
      std::fill_n(to, before, T{});
      std::copy_n(from + i * line, real, to + before);
      std::fill(to + before + real, to + wide.line, T{});
    }
  });
}

}  // namespace laban::cpu::LABAN_ISA
