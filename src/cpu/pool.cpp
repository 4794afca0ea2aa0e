// Max pooling over a window, and the mean over all of t, h, w.
#include "math/pool.h"
#include "cpu/cpu_backend.h"
#include "cpu/elements.h"
#include "cpu/parallel.h"
#include "math/window.h"

namespace laban {
namespace {
using namespace cpu;

/// Channels of the input place that a tap looks at, against the best so far.
template <class T>
void take_larger(const T* in, uint8_t tap, T* best, uint8_t* taps, int64_t channels) {
  if (taps) {
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) {
      const bool takes = max_pool_takes(widen(in[c]), widen(best[c]));
      best[c] = takes ? in[c] : best[c];
      taps[c] = takes ? tap : taps[c];
    }
  } else {
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c)
      best[c] = max_pool_takes(widen(in[c]), widen(best[c])) ? in[c] : best[c];
  }
}

/// One row of outputs: n, to and ho are fixed.
template <class T>
void max_row(const MaxPoolForward& op, const T* x, T* y, uint8_t* taps, int64_t n, int64_t to, int64_t ho) {
  const Shape &xs = op.x.shape, &ys = op.y.shape;
  const auto& [kernel, stride, padding] = op.window;
  const TapRange t = taps_inside(to, kernel[0], stride[0], padding[0], xs.t);
  const TapRange h = taps_inside(ho, kernel[1], stride[1], padding[1], xs.h);
  for (int64_t wo = 0; wo < ys.w; ++wo) {
    const TapRange w = taps_inside(wo, kernel[2], stride[2], padding[2], xs.w);
    const int64_t out = ys.index(n, to, ho, wo, 0);
    bool first = true;
    for (int64_t kt = t.begin; kt < t.end; ++kt)
      for (int64_t kh = h.begin; kh < h.end; ++kh)
        for (int64_t kw = w.begin; kw < w.end; ++kw, first = false) {
          const T* in = x + xs.index(n, t.origin + kt, h.origin + kh, w.origin + kw, 0);
          const auto tap = static_cast<uint8_t>((kt * kernel[1] + kh) * kernel[2] + kw);
          uint8_t* places = taps ? taps + out : nullptr;
          if (first) {
            std::copy_n(in, ys.c, y + out);
            if (places) std::fill_n(places, ys.c, tap);
          } else {
            take_larger(in, tap, y + out, places, ys.c);
          }
        }
  }
}

/// One row of inputs gathers from the windows that it may have won in. Sums are kept in float, so that none
/// is rounded to storage half-way.
template <class T>
void max_backward_row(const MaxPoolBackward& op, const T* dy, T* dx, float* sums, int64_t n, int64_t t,
                      int64_t h) {
  const Shape &xs = op.dx.shape, &ys = op.dy.shape;
  const auto& [kernel, stride, padding] = op.window;
  const uint8_t* taps = op.taps.as<uint8_t>();
  for (int64_t w = 0; w < xs.w; ++w) {
    std::fill_n(sums, xs.c, 0.0f);
    for (int64_t kt = 0; kt < kernel[0]; ++kt) {
      const int64_t to = output_through(kt, t, stride[0], padding[0], ys.t);
      for (int64_t kh = 0; to >= 0 && kh < kernel[1]; ++kh) {
        const int64_t ho = output_through(kh, h, stride[1], padding[1], ys.h);
        for (int64_t kw = 0; ho >= 0 && kw < kernel[2]; ++kw) {
          const int64_t wo = output_through(kw, w, stride[2], padding[2], ys.w);
          if (wo < 0) continue;
          const int64_t out = ys.index(n, to, ho, wo, 0);
          const auto tap = static_cast<uint8_t>((kt * kernel[1] + kh) * kernel[2] + kw);
#pragma omp simd
          for (int64_t c = 0; c < xs.c; ++c) sums[c] += taps[out + c] == tap ? widen(dy[out + c]) : 0.0f;
        }
      }
    }
    T* out = dx + xs.index(n, t, h, w, 0);
    for (int64_t c = 0; c < xs.c; ++c) out[c] = narrow<T>(sums[c]);
  }
}

/// Calls body(n, t, h) for every row of a shape in the range.
template <class Body>
void for_each_row(const Shape& shape, Range range, Body&& body) {
  for (int64_t row = range.begin; row < range.end; ++row)
    body(row / (shape.t * shape.h), row / shape.h % shape.t, row % shape.h);
}

}  // namespace

void CpuBackend::run(const MaxPoolForward& op, Scratch scratch) {
  if (op.x.dtype == DType::f64) return ReferenceBackend::run(op, scratch);
  with_type(op.x.dtype, [&]<class T>() {
    const Shape& ys = op.y.shape;
    const T* x = op.x.as<T>();
    T* y = op.y.as<T>();
    uint8_t* taps = op.taps.as_or_null<uint8_t>();
    for_each_range(threads_, ys.n * ys.t * ys.h, [&](Range range) {
      for_each_row(ys, range, [&](int64_t n, int64_t to, int64_t ho) { max_row(op, x, y, taps, n, to, ho); });
    });
  });
}

size_t CpuBackend::scratch_for(const MaxPoolBackward& op) {
  if (op.dx.dtype == DType::f64) return ReferenceBackend::scratch_for(op);
  return ScratchCutter::bytes_for({bytes_of<float>(op.dx.shape.c)}) * static_cast<size_t>(threads_);
}
void CpuBackend::run(const MaxPoolBackward& op, Scratch memory) {
  if (op.dx.dtype == DType::f64) return ReferenceBackend::run(op, memory);
  with_type(op.dx.dtype, [&]<class T>() {
    const Shape& xs = op.dx.shape;
    const T* dy = op.dy.as<T>();
    T* dx = op.dx.as<T>();
    const int64_t stretch =
        static_cast<int64_t>(ScratchCutter::bytes_for({bytes_of<float>(xs.c)}) / sizeof(float));
    float* sums = ScratchCutter(memory).take_array<float>(stretch * threads_);
    for_each_part(threads_, [&](int part) {
      for_each_row(xs, part_of(xs.n * xs.t * xs.h, threads_, part), [&](int64_t n, int64_t t, int64_t h) {
        max_backward_row(op, dy, dx, sums + stretch * part, n, t, h);
      });
    });
  });
}

size_t CpuBackend::scratch_for(const GlobalAvgPoolForward& op) {
  if (op.x.dtype == DType::f64) return ReferenceBackend::scratch_for(op);
  return ScratchCutter::bytes_for({bytes_of<double>(op.x.shape.c)});
}
void CpuBackend::run(const GlobalAvgPoolForward& op, Scratch memory) {
  if (op.x.dtype == DType::f64) return ReferenceBackend::run(op, memory);
  with_type(op.x.dtype, [&]<class T>() {
    const Shape& xs = op.x.shape;
    const int64_t places = xs.t * xs.h * xs.w;
    const T* x = op.x.as<T>();
    T* y = op.y.as<T>();
    double* sums = ScratchCutter(memory).take_array<double>(xs.c);  // each thread uses its own stretch of it
    for_each_range(threads_, xs.c, [&](Range channels) {
      for (int64_t n = 0; n < xs.n; ++n) {
        std::fill(sums + channels.begin, sums + channels.end, 0.0);
        for (int64_t p = 0; p < places; ++p) {
          const T* row = x + (n * places + p) * xs.c;
#pragma omp simd
          for (int64_t c = channels.begin; c < channels.end; ++c) sums[c] += widen(row[c]);
        }
        for (int64_t c = channels.begin; c < channels.end; ++c)
          y[n * xs.c + c] = narrow<T>(static_cast<float>(sums[c] / static_cast<double>(places)));
      }
    });
  });
}

void CpuBackend::run(const GlobalAvgPoolBackward& op, Scratch scratch) {
  if (op.dx.dtype == DType::f64) return ReferenceBackend::run(op, scratch);
  with_type(op.dx.dtype, [&]<class T>() {
    const Shape& xs = op.dx.shape;
    const int64_t places = xs.t * xs.h * xs.w;
    const float weight = 1.0f / static_cast<float>(places);
    const T* dy = op.dy.as<T>();
    T* dx = op.dx.as<T>();
    for_each_range(threads_, xs.n * places, [&](Range pixels) {
      for (int64_t p = pixels.begin; p < pixels.end; ++p) {
        const T* row = dy + p / places * xs.c;
#pragma omp simd
        for (int64_t c = 0; c < xs.c; ++c) dx[p * xs.c + c] = narrow<T>(widen(row[c]) * weight);
      }
    });
  });
}

}  // namespace laban
