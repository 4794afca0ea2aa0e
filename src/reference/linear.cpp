// The classifier: y = x w^T + bias. Its output, the logits, has the master type.
#include "reference/loops.h"

namespace laban::reference {

template <>
size_t scratch_bytes(const LinearForward&) {
  return 0;
}
template <>
void run(const LinearForward& op, Scratch) {
  with_float_type(op.x.dtype, [&]<class T>() {
    using M = MasterOf<T>;
    const int64_t rows = op.x.shape.n, in = op.x.shape.c, out = op.w.shape.n;
    const T *x = op.x.as<T>(), *w = op.w.as<T>();
    const M* bias = op.bias.as_or_null<M>();
    M* y = op.y.as<M>();
    for (int64_t n = 0; n < rows; ++n)
      for (int64_t o = 0; o < out; ++o)
        store(y[n * out + o], (bias ? bias[o] : 0.0) + dot(x + n * in, w + o * in, in));
  });
}

template <>
size_t scratch_bytes(const LinearBackwardData&) {
  return 0;
}
template <>
void run(const LinearBackwardData& op, Scratch) {
  with_float_type(op.dx.dtype, [&]<class T>() {
    const int64_t rows = op.dx.shape.n, in = op.dx.shape.c, out = op.w.shape.n;
    const auto* dy = op.dy.as<MasterOf<T>>();
    const T* w = op.w.as<T>();
    T* dx = op.dx.as<T>();
    for (int64_t n = 0; n < rows; ++n)
      for (int64_t i = 0; i < in; ++i) {
        double sum = 0;
        for (int64_t o = 0; o < out; ++o) sum += dy[n * out + o] * load(w[o * in + i]);
        store(dx[n * in + i], sum);
      }
  });
}

template <>
size_t scratch_bytes(const LinearBackwardWeights&) {
  return 0;
}
template <>
void run(const LinearBackwardWeights& op, Scratch) {
  with_float_type(op.x.dtype, [&]<class T>() {
    using M = MasterOf<T>;
    const int64_t rows = op.x.shape.n, in = op.x.shape.c, out = op.dw.shape.n;
    const T* x = op.x.as<T>();
    const M* dy = op.dy.as<M>();
    M *dw = op.dw.as<M>(), *dbias = op.dbias.as_or_null<M>();
    for (int64_t o = 0; o < out; ++o) {
      for (int64_t i = 0; i < in; ++i) {
        double sum = 0;
        for (int64_t n = 0; n < rows; ++n) sum += dy[n * out + o] * load(x[n * in + i]);
        add(dw[o * in + i], sum);
      }
      double sum_g = 0;
      for (int64_t n = 0; n < rows; ++n) sum_g += dy[n * out + o];
      if (dbias) add(dbias[o], sum_g);
    }
  });
}

}  // namespace laban::reference
