// The classifier: y = x w^T + bias. Its output, the logits, has the master type. The matrices are small
// (a batch of feature vectors), so these loops only have to be contiguous.
#include "core/ops/linear.h"
#include "cpu/elements.h"
#include "cpu/kernels/ops.h"
#include "cpu/tiles.h"

namespace laban::cpu::LABAN_ISA {
namespace {

/// sum_i a[i]*b[i] in a fixed order that fills vector registers.
template <class A, class B>
float dot(const A* a, const B* b, int64_t count) {
  constexpr int kPartial = 64;
  float partial[kPartial] = {};
  int64_t i = 0;
  for (; i + kPartial <= count; i += kPartial)
    for (int lane = 0; lane < kPartial; ++lane) partial[lane] += widen(a[i + lane]) * widen(b[i + lane]);
  float sum = 0;
  for (; i < count; ++i) sum += widen(a[i]) * widen(b[i]);
  for (const float lane : partial) sum += lane;
  return sum;
}

/// sum[i] += factor * a[i]
template <class A>
void add_scaled(float* sum, float factor, const A* a, int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) sum[i] += factor * widen(a[i]);
}

}  // namespace

void run(const LinearForward& op, Scratch, ThreadPool& pool) {
  with_type(op.x.dtype, [&]<class T>() {
    const int64_t rows = op.x.shape.n, in = op.x.shape.c, out = op.w.shape.n;
    const T *x = op.x.as<T>(), *w = op.w.as<T>();
    const float* bias = op.bias.as_or_null<float>();
    float* y = op.y.as<float>();
    const Tiles outputs = Tiles::of(out, in * (rows + 1));
    pool.for_each_tile(outputs.tiles(), [&](int64_t tile, int) {
      for (int64_t o = outputs.begin(tile); o < outputs.end(tile); ++o)
        for (int64_t n = 0; n < rows; ++n)
          y[n * out + o] = (bias ? bias[o] : 0.0f) + dot(x + n * in, w + o * in, in);
    });
  });
}

void run(const LinearBackwardData& op, Scratch, ThreadPool& pool) {
  with_type(op.dx.dtype, [&]<class T>() {
    const int64_t rows = op.dx.shape.n, in = op.dx.shape.c, out = op.w.shape.n;
    const float* dy = op.dy.as<float>();
    const T* w = op.w.as<T>();
    T* dx = op.dx.as<T>();
    constexpr int64_t kInputs = 128;
    const Tiles inputs{in, kInputs};
    pool.for_each_tile(inputs.tiles(), [&](int64_t tile, int) {
      const int64_t begin = inputs.begin(tile), count = inputs.end(tile) - begin;
      for (int64_t n = 0; n < rows; ++n) {
        float sum[kInputs] = {};
        for (int64_t o = 0; o < out; ++o) add_scaled(sum, dy[n * out + o], w + o * in + begin, count);
        for (int64_t i = 0; i < count; ++i) dx[n * in + begin + i] = narrow<T>(sum[i]);
      }
    });
  });
}

void run(const LinearBackwardWeights& op, Scratch, ThreadPool& pool) {
  with_type(op.x.dtype, [&]<class T>() {
    const int64_t rows = op.x.shape.n, in = op.x.shape.c, out = op.dw.shape.n;
    const T* x = op.x.as<T>();
    const float* dy = op.dy.as<float>();
    float *dw = op.dw.as<float>(), *dbias = op.dbias.as_or_null<float>();
    const Tiles outputs = Tiles::of(out, in * (rows + 1));
    pool.for_each_tile(outputs.tiles(), [&](int64_t tile, int) {
      for (int64_t o = outputs.begin(tile); o < outputs.end(tile); ++o)
        for (int64_t n = 0; n < rows; ++n) {
          add_scaled(dw + o * in, dy[n * out + o], x + n * in, in);
          if (dbias) dbias[o] += dy[n * out + o];
        }
    });
  });
}

}  // namespace laban::cpu::LABAN_ISA
