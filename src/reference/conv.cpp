// 3-D convolution: forward, gradient of the input, gradient of the weights.
//
//   forward           y[p,o]       = bias[o] + sum_{k,i} w[o,k,i] * x[p*s - pad + k, i]
//   input gradient    dx[q,i]      = sum_{k,o : p*s - pad + k = q} w[o,k,i] * dy[p,o]
//   weight gradient   dw[o,k,i]   += sum_p dy[p,o] * x[p*s - pad + k, i],    dbias[o] += sum_p dy[p,o]
//
// with p, q, k, s, pad standing for their (t,h,w) triples. In NDHWC the taps along w and the channels are
// adjacent both in x and in w, so that for given taps along t and h they are one contiguous run.
#include "math/activation.h"
#include "math/batch_norm.h"
#include "math/window.h"
#include "reference/loops.h"

namespace laban::reference {
namespace {
TapRange taps_of(const Window& window, int axis, int64_t output, int64_t inputs) {
  return taps_inside(output, window.kernel[axis], window.stride[axis], window.padding[axis], inputs);
}

/// Calls body(x index, w index, length) for each contiguous run of the window of output (n, to, ho, wo) that
/// lies inside x; the w index is relative to one output channel's filter.
template <class Body>
void for_each_run(const Window& window, const Shape& x, const TapRange& t, const TapRange& h,
                  const TapRange& w, int64_t n, Body&& body) {
  const int64_t length = (w.end - w.begin) * x.c;
  if (length <= 0) return;
  for (int64_t kt = t.begin; kt < t.end; ++kt)
    for (int64_t kh = h.begin; kh < h.end; ++kh) {
      const int64_t tap = (kt * window.kernel[1] + kh) * window.kernel[2] + w.begin;
      body(x.index(n, t.origin + kt, h.origin + kh, w.origin + w.begin, 0), tap * x.c, length);
    }
}

/// y[p,o] = finish(index, o, sum).
template <class T, class Finish>
void forward(const ConvForward& op, Finish&& finish) {
  const Shape &xs = op.x.shape, &ys = op.y.shape;
  const int64_t filter = op.window.volume() * xs.c;
  const T *x = op.x.as<T>(), *w = op.w.as<T>();
  const auto* bias = op.bias.as_or_null<MasterOf<T>>();
  T* y = op.y.as<T>();
  for (int64_t n = 0; n < ys.n; ++n)
    for (int64_t to = 0; to < ys.t; ++to)
      for (int64_t ho = 0; ho < ys.h; ++ho)
        for (int64_t wo = 0; wo < ys.w; ++wo) {
          const TapRange kt = taps_of(op.window, 0, to, xs.t), kh = taps_of(op.window, 1, ho, xs.h),
                         kw = taps_of(op.window, 2, wo, xs.w);
          for (int64_t o = 0; o < ys.c; ++o) {
            double sum = bias ? bias[o] : 0;
            for_each_run(op.window, xs, kt, kh, kw, n, [&](int64_t at_x, int64_t at_w, int64_t length) {
              sum += dot(x + at_x, w + o * filter + at_w, length);
            });
            const int64_t index = ys.index(n, to, ho, wo, o);
            store(y[index], finish(index, o, sum));
          }
        }
}

template <class T>
void backward_data(const ConvBackwardData& op, Scratch scratch) {
  const Shape &xs = op.dx.shape, &ys = op.dy.shape;
  const auto& [kernel, stride, padding] = op.window;
  const T *dy = op.dy.as<T>(), *w = op.w.as<T>();
  T* dx = op.dx.as<T>();
  for (int64_t n = 0; n < xs.n; ++n)
    for (int64_t t = 0; t < xs.t; ++t)
      for (int64_t h = 0; h < xs.h; ++h)
        for (int64_t wx = 0; wx < xs.w; ++wx) {
          double* sums = zeroed_accumulators(scratch, xs.c);
          for (int64_t kt = 0; kt < kernel[0]; ++kt) {
            const int64_t to = output_through(kt, t, stride[0], padding[0], ys.t);
            if (to < 0) continue;
            for (int64_t kh = 0; kh < kernel[1]; ++kh) {
              const int64_t ho = output_through(kh, h, stride[1], padding[1], ys.h);
              if (ho < 0) continue;
              for (int64_t kw = 0; kw < kernel[2]; ++kw) {
                const int64_t wo = output_through(kw, wx, stride[2], padding[2], ys.w);
                if (wo < 0) continue;
                const T* g = dy + ys.index(n, to, ho, wo, 0);
                for (int64_t o = 0; o < ys.c; ++o)
                  add_scaled(sums, load(g[o]), w + op.w.shape.index(o, kt, kh, kw, 0), xs.c);
              }
            }
          }
          T* out = dx + xs.index(n, t, h, wx, 0);
          for (int64_t i = 0; i < xs.c; ++i) store(out[i], op.accumulate ? load(out[i]) + sums[i] : sums[i]);
        }
}

template <class T>
void backward_weights(const ConvBackwardWeights& op, Scratch scratch) {
  const Shape &xs = op.x.shape, &ys = op.dy.shape;
  const int64_t filter = op.window.volume() * xs.c;
  const T *x = op.x.as<T>(), *dy = op.dy.as<T>();
  auto* dw = op.dw.as<MasterOf<T>>();
  auto* dbias = op.dbias.as_or_null<MasterOf<T>>();
  for (int64_t o = 0; o < ys.c; ++o) {
    double* sums = zeroed_accumulators(scratch, filter);
    double sum_g = 0;
    for (int64_t n = 0; n < ys.n; ++n)
      for (int64_t to = 0; to < ys.t; ++to)
        for (int64_t ho = 0; ho < ys.h; ++ho)
          for (int64_t wo = 0; wo < ys.w; ++wo) {
            const double g = load(dy[ys.index(n, to, ho, wo, o)]);
            sum_g += g;
            const TapRange kt = taps_of(op.window, 0, to, xs.t), kh = taps_of(op.window, 1, ho, xs.h),
                           kw = taps_of(op.window, 2, wo, xs.w);
            for_each_run(op.window, xs, kt, kh, kw, n, [&](int64_t at_x, int64_t at_w, int64_t length) {
              add_scaled(sums + at_w, g, x + at_x, length);
            });
          }
    for (int64_t i = 0; i < filter; ++i) add(dw[o * filter + i], sums[i]);
    if (dbias) add(dbias[o], sum_g);
  }
}

}  // namespace

template <>
size_t scratch_bytes(const ConvForward&) {
  return 0;
}
template <>
void run(const ConvForward& op, Scratch) {
  with_float_type(op.x.dtype,
                  [&]<class T>() { forward<T>(op, [](int64_t, int64_t, double sum) { return sum; }); });
}

template <>
size_t scratch_bytes(const ConvBatchNorm&) {
  return 0;
}
template <>
void run(const ConvBatchNorm& op, Scratch) {
  with_float_type(op.x.dtype, [&]<class T>() {
    using M = MasterOf<T>;
    const M *gamma = op.gamma.as<M>(), *beta = op.beta.as<M>();
    const M *mean = op.running_mean.as<M>(), *variance = op.running_var.as<M>();
    const T* residual = op.residual.as_or_null<T>();
    forward<T>(op.convolution(), [&](int64_t index, int64_t o, double sum) {
      const double scale = gamma[o] * inverse_std<double>(variance[o], op.eps);
      double z = BatchNormAffine<double>{mean[o], scale, beta[o]}(sum);
      if (residual) z += load(residual[index]);
      return op.relu ? relu(z) : z;
    });
  });
}

template <>
size_t scratch_bytes(const ConvBackwardData& op) {
  return accumulator_bytes(op.dx.shape.c);
}
template <>
void run(const ConvBackwardData& op, Scratch scratch) {
  with_float_type(op.dx.dtype, [&]<class T>() { backward_data<T>(op, scratch); });
}

template <>
size_t scratch_bytes(const ConvBackwardWeights& op) {
  return accumulator_bytes(op.window.volume() * op.x.shape.c);
}
template <>
void run(const ConvBackwardWeights& op, Scratch scratch) {
  with_float_type(op.x.dtype, [&]<class T>() { backward_weights<T>(op, scratch); });
}

}  // namespace laban::reference
