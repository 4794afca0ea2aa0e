// Max pooling over a window, and the mean over all of t, h, w.
#include <algorithm>

#include "core/ops/pool.h"
#include "cpu/elements.h"
#include "cpu/kernels/ops.h"
#include "cpu/tiles.h"
#include "math/pool.h"
#include "math/window.h"

namespace laban::cpu::LABAN_ISA {
namespace {

/// Channels of the input place that a tap looks at, against the best so far.
template <class T>
void take_larger(const T* in, uint8_t tap, T* best, uint8_t* taps, int64_t channels) {
  if (taps) {
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) {
      const bool takes = max_pool_takes(widen(in[c]), widen(best[c]));
      best[c] = choose(takes, in[c], best[c]);
      taps[c] = choose(takes, tap, taps[c]);
    }
  } else {
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c)
      best[c] = choose(max_pool_takes(widen(in[c]), widen(best[c])), in[c], best[c]);
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
          for (int64_t c = 0; c < xs.c; ++c)
            sums[c] += choose(taps[out + c] == tap, widen(dy[out + c]), 0.0f);
        }
      }
    }
    T* out = dx + xs.index(n, t, h, w, 0);
    for (int64_t c = 0; c < xs.c; ++c) out[c] = narrow<T>(sums[c]);
  }
}

/// Calls body(n, t, h, worker) for every row of a shape, each of which touches `elements` elements.
template <class Body>
void for_each_row(ThreadPool& pool, const Shape& shape, int64_t elements, Body&& body) {
  const Tiles rows = Tiles::of(shape.n * shape.t * shape.h, elements);
  pool.for_each_tile(rows.tiles(), [&](int64_t tile, int worker) {
    for (int64_t row = rows.begin(tile); row < rows.end(tile); ++row)
      body(row / (shape.t * shape.h), row / shape.h % shape.t, row % shape.h, worker);
  });
}

}  // namespace

void run(const MaxPoolForward& op, Scratch, ThreadPool& pool) {
  with_type(op.x.dtype, [&]<class T>() {
    const Shape& ys = op.y.shape;
    const T* x = op.x.as<T>();
    T* y = op.y.as<T>();
    uint8_t* taps = op.taps.as_or_null<uint8_t>();
    for_each_row(pool, ys, ys.w * ys.c * op.window.volume(),
                 [&](int64_t n, int64_t to, int64_t ho, int) { max_row(op, x, y, taps, n, to, ho); });
  });
}

/// Floats from one worker's sums to the next one's: whole cache lines.
int64_t sums_apart(const MaxPoolBackward& op) {
  return static_cast<int64_t>(ScratchCutter::bytes_for({bytes_of<float>(op.dx.shape.c)}) / sizeof(float));
}
size_t scratch_bytes(const MaxPoolBackward& op, int threads) {
  return ScratchCutter::bytes_for({bytes_of<float>(sums_apart(op) * threads)});
}
void run(const MaxPoolBackward& op, Scratch memory, ThreadPool& pool) {
  with_type(op.dx.dtype, [&]<class T>() {
    const Shape& xs = op.dx.shape;
    const T* dy = op.dy.as<T>();
    T* dx = op.dx.as<T>();
    const int64_t apart = sums_apart(op);
    float* sums = ScratchCutter(memory).take_array<float>(apart * pool.threads());
    for_each_row(pool, xs, xs.w * xs.c * op.window.volume(),
                 [&](int64_t n, int64_t t, int64_t h, int worker) {
                   max_backward_row(op, dy, dx, sums + apart * worker, n, t, h);
                 });
  });
}

void run(const GlobalAvgPoolForward& op, Scratch, ThreadPool& pool) {
  with_type(op.x.dtype, [&]<class T>() {
    const Shape& xs = op.x.shape;
    const int64_t places = xs.t * xs.h * xs.w;
    const T* x = op.x.as<T>();
    T* y = op.y.as<T>();
    constexpr int64_t kChannels = 128;
    const Tiles channels{xs.c, kChannels};
    pool.for_each_tile(xs.n * channels.tiles(), [&](int64_t tile, int) {
      const int64_t n = tile / channels.tiles(), begin = channels.begin(tile % channels.tiles());
      const int64_t count = channels.end(tile % channels.tiles()) - begin;
      double sums[kChannels] = {};
      for (int64_t p = 0; p < places; ++p) {
        const T* row = x + (n * places + p) * xs.c + begin;
#pragma omp simd
        for (int64_t c = 0; c < count; ++c) sums[c] += widen(row[c]);
      }
      for (int64_t c = 0; c < count; ++c)
        y[n * xs.c + begin + c] = narrow<T>(static_cast<float>(sums[c] / static_cast<double>(places)));
    });
  });
}

void run(const GlobalAvgPoolBackward& op, Scratch, ThreadPool& pool) {
  with_type(op.dx.dtype, [&]<class T>() {
    const Shape& xs = op.dx.shape;
    const int64_t places = xs.t * xs.h * xs.w;
    const float weight = 1.0f / static_cast<float>(places);
    const T* dy = op.dy.as<T>();
    T* dx = op.dx.as<T>();
    const Tiles pixels = Tiles::of(xs.n * places, xs.c);
    pool.for_each_tile(pixels.tiles(), [&](int64_t tile, int) {
      for (int64_t p = pixels.begin(tile); p < pixels.end(tile); ++p) {
        const T* row = dy + p / places * xs.c;
#pragma omp simd
        for (int64_t c = 0; c < xs.c; ++c) dx[p * xs.c + c] = narrow<T>(widen(row[c]) * weight);
      }
    });
  });
}

}  // namespace laban::cpu::LABAN_ISA
