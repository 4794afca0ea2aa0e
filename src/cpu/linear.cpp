// The classifier: y = x w^T + bias. Its output, the logits, has the master type. The matrices are small
// (a batch of feature vectors), so these loops only have to be contiguous.
#include "cpu/cpu_backend.h"
#include "cpu/elements.h"
#include "cpu/parallel.h"

namespace laban {
namespace {
using namespace cpu;

/// sum_i a[i]*b[i] in a fixed order that fills vector registers.
template <class A, class B>
float dot(const A* a, const B* b, int64_t count) {
  constexpr int kLanes = 64;
  float lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int lane = 0; lane < kLanes; ++lane) lanes[lane] += widen(a[i + lane]) * widen(b[i + lane]);
  float sum = 0;
  for (; i < count; ++i) sum += widen(a[i]) * widen(b[i]);
  for (const float lane : lanes) sum += lane;
  return sum;
}

/// sum[i] += factor * a[i]
template <class A>
void add_scaled(float* sum, float factor, const A* a, Range range) {
#pragma omp simd
  for (int64_t i = range.begin; i < range.end; ++i) sum[i] += factor * widen(a[i]);
}

}  // namespace

void CpuBackend::run(const LinearForward& op, Scratch scratch) {
  if (op.x.dtype == DType::f64) return ReferenceBackend::run(op, scratch);
  with_type(op.x.dtype, [&]<class T>() {
    const int64_t rows = op.x.shape.n, in = op.x.shape.c, out = op.w.shape.n;
    const T *x = op.x.as<T>(), *w = op.w.as<T>();
    const float* bias = op.bias.as_or_null<float>();
    float* y = op.y.as<float>();
    for_each_range(threads_, out, [&](Range outputs) {
      for (int64_t o = outputs.begin; o < outputs.end; ++o)
        for (int64_t n = 0; n < rows; ++n)
          y[n * out + o] = (bias ? bias[o] : 0.0f) + dot(x + n * in, w + o * in, in);
    });
  });
}

size_t CpuBackend::scratch_for(const LinearBackwardData& op) {
  if (op.dx.dtype == DType::f64) return ReferenceBackend::scratch_for(op);
  return ScratchCutter::bytes_for({bytes_of<float>(op.dx.shape.c)});
}
void CpuBackend::run(const LinearBackwardData& op, Scratch memory) {
  if (op.dx.dtype == DType::f64) return ReferenceBackend::run(op, memory);
  with_type(op.dx.dtype, [&]<class T>() {
    const int64_t rows = op.dx.shape.n, in = op.dx.shape.c, out = op.w.shape.n;
    const float* dy = op.dy.as<float>();
    const T* w = op.w.as<T>();
    T* dx = op.dx.as<T>();
    float* sum = ScratchCutter(memory).take_array<float>(in);  // each thread uses its own stretch of it
    for_each_range(threads_, in, [&](Range inputs) {
      for (int64_t n = 0; n < rows; ++n) {
        std::fill(sum + inputs.begin, sum + inputs.end, 0.0f);
        for (int64_t o = 0; o < out; ++o) add_scaled(sum, dy[n * out + o], w + o * in, inputs);
        for (int64_t i = inputs.begin; i < inputs.end; ++i) dx[n * in + i] = narrow<T>(sum[i]);
      }
    });
  });
}

void CpuBackend::run(const LinearBackwardWeights& op, Scratch scratch) {
  if (op.x.dtype == DType::f64) return ReferenceBackend::run(op, scratch);
  with_type(op.x.dtype, [&]<class T>() {
    const int64_t rows = op.x.shape.n, in = op.x.shape.c, out = op.dw.shape.n;
    const T* x = op.x.as<T>();
    const float* dy = op.dy.as<float>();
    float *dw = op.dw.as<float>(), *dbias = op.dbias.as_or_null<float>();
    for_each_range(threads_, out, [&](Range outputs) {
      for (int64_t o = outputs.begin; o < outputs.end; ++o)
        for (int64_t n = 0; n < rows; ++n) {
          add_scaled(dw + o * in, dy[n * out + o], x + n * in, {0, in});
          if (dbias) dbias[o] += dy[n * out + o];
        }
    });
  });
}

}  // namespace laban
