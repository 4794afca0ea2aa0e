// Max pooling over a window, and the mean over all of t, h, w.
#include "math/pool.h"
#include "math/window.h"
#include "reference/loops.h"

namespace laban::reference {
namespace {
template <class T>
void max_forward(const MaxPoolForward& op) {
  const Shape &xs = op.x.shape, &ys = op.y.shape;
  const auto& [kernel, stride, padding] = op.window;
  const T* x = op.x.as<T>();
  T* y = op.y.as<T>();
  uint8_t* taps = op.taps.as_or_null<uint8_t>();
  for (int64_t n = 0; n < ys.n; ++n)
    for (int64_t to = 0; to < ys.t; ++to)
      for (int64_t ho = 0; ho < ys.h; ++ho)
        for (int64_t wo = 0; wo < ys.w; ++wo) {
          const TapRange t = taps_inside(to, kernel[0], stride[0], padding[0], xs.t);
          const TapRange h = taps_inside(ho, kernel[1], stride[1], padding[1], xs.h);
          const TapRange w = taps_inside(wo, kernel[2], stride[2], padding[2], xs.w);
          const int64_t out = ys.index(n, to, ho, wo, 0);
          bool first = true;
          for (int64_t kt = t.begin; kt < t.end; ++kt)
            for (int64_t kh = h.begin; kh < h.end; ++kh)
              for (int64_t kw = w.begin; kw < w.end; ++kw, first = false) {
                const T* in = x + xs.index(n, t.origin + kt, h.origin + kh, w.origin + kw, 0);
                const auto tap = static_cast<uint8_t>((kt * kernel[1] + kh) * kernel[2] + kw);
                for (int64_t c = 0; c < ys.c; ++c) {
                  if (!first && !max_pool_takes(load(in[c]), load(y[out + c]))) continue;
                  y[out + c] = in[c];
                  if (taps) taps[out + c] = tap;
                }
              }
        }
}

/// Gathers, for each input, from the windows it may have won; so no sum is ever rounded to storage half-way.
template <class T>
void max_backward(const MaxPoolBackward& op, Scratch scratch) {
  const Shape &xs = op.dx.shape, &ys = op.dy.shape;
  const auto& [kernel, stride, padding] = op.window;
  const T* dy = op.dy.as<T>();
  const uint8_t* taps = op.taps.as<uint8_t>();
  T* dx = op.dx.as<T>();
  for (int64_t n = 0; n < xs.n; ++n)
    for (int64_t t = 0; t < xs.t; ++t)
      for (int64_t h = 0; h < xs.h; ++h)
        for (int64_t w = 0; w < xs.w; ++w) {
          double* sums = zeroed_accumulators(scratch, xs.c);
          for (int64_t kt = 0; kt < kernel[0]; ++kt) {
            const int64_t to = output_through(kt, t, stride[0], padding[0], ys.t);
            if (to < 0) continue;
            for (int64_t kh = 0; kh < kernel[1]; ++kh) {
              const int64_t ho = output_through(kh, h, stride[1], padding[1], ys.h);
              if (ho < 0) continue;
              for (int64_t kw = 0; kw < kernel[2]; ++kw) {
                const int64_t wo = output_through(kw, w, stride[2], padding[2], ys.w);
                if (wo < 0) continue;
                const int64_t out = ys.index(n, to, ho, wo, 0);
                const int64_t tap = (kt * kernel[1] + kh) * kernel[2] + kw;
                for (int64_t c = 0; c < xs.c; ++c)
                  if (taps[out + c] == tap) sums[c] += load(dy[out + c]);
              }
            }
          }
          T* out = dx + xs.index(n, t, h, w, 0);
          for (int64_t c = 0; c < xs.c; ++c) store(out[c], sums[c]);
        }
}

template <class T>
void average_forward(const GlobalAvgPoolForward& op, Scratch scratch) {
  const Shape& xs = op.x.shape;
  const int64_t places = xs.t * xs.h * xs.w;
  const T* x = op.x.as<T>();
  T* y = op.y.as<T>();
  for (int64_t n = 0; n < xs.n; ++n) {
    double* sums = zeroed_accumulators(scratch, xs.c);
    for (int64_t p = 0; p < places; ++p) add_scaled(sums, 1.0, x + (n * places + p) * xs.c, xs.c);
    for (int64_t c = 0; c < xs.c; ++c) store(y[n * xs.c + c], sums[c] / static_cast<double>(places));
  }
}

template <class T>
void average_backward(const GlobalAvgPoolBackward& op) {
  const Shape& xs = op.dx.shape;
  const int64_t places = xs.t * xs.h * xs.w;
  const T* dy = op.dy.as<T>();
  T* dx = op.dx.as<T>();
  for (int64_t n = 0; n < xs.n; ++n)
    for (int64_t p = 0; p < places; ++p)
      for (int64_t c = 0; c < xs.c; ++c)
        store(dx[(n * places + p) * xs.c + c], load(dy[n * xs.c + c]) / static_cast<double>(places));
}

}  // namespace

template <>
size_t scratch_bytes(const MaxPoolForward&) {
  return 0;
}
template <>
void run(const MaxPoolForward& op, Scratch) {
  with_float_type(op.x.dtype, [&]<class T>() { max_forward<T>(op); });
}

template <>
size_t scratch_bytes(const MaxPoolBackward& op) {
  return accumulator_bytes(op.dx.shape.c);
}
template <>
void run(const MaxPoolBackward& op, Scratch scratch) {
  with_float_type(op.dx.dtype, [&]<class T>() { max_backward<T>(op, scratch); });
}

template <>
size_t scratch_bytes(const GlobalAvgPoolForward& op) {
  return accumulator_bytes(op.x.shape.c);
}
template <>
void run(const GlobalAvgPoolForward& op, Scratch scratch) {
  with_float_type(op.x.dtype, [&]<class T>() { average_forward<T>(op, scratch); });
}

template <>
size_t scratch_bytes(const GlobalAvgPoolBackward&) {
  return 0;
}
template <>
void run(const GlobalAvgPoolBackward& op, Scratch) {
  with_float_type(op.dx.dtype, [&]<class T>() { average_backward<T>(op); });
}

}  // namespace laban::reference
