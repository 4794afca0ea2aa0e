// Ops that look at one element at a time, and the sum of squares.
#include <cstring>

#include "cpu/cpu_backend.h"
#include "cpu/elements.h"
#include "cpu/parallel.h"
#include "math/activation.h"
#include "math/dropout.h"

namespace laban {
namespace {
using namespace cpu;

/// to[i] = f(from[i]...) for all i, in parallel. Outputs may be one of the inputs.
template <class To, class F, class... From>
void map(int threads, int64_t count, F&& f, To* to, const From*... from) {
  for_each_range(threads, count, [&](Range range) {
#pragma omp simd
    for (int64_t i = range.begin; i < range.end; ++i) to[i] = narrow<To>(f(widen(from[i])...));
  });
}

/// Elements of a range are cut at multiples of this, so that no two threads write to one cache line.
constexpr int64_t kGrain = 64;

}  // namespace

void CpuBackend::run(const ReluForward& op, Scratch scratch) {
  if (op.x.dtype == DType::f64) return ReferenceBackend::run(op, scratch);
  with_type(op.x.dtype, [&]<class T>() {
    map(
        threads_, op.x.count(), [](float x) { return relu(x); }, op.y.as<T>(), op.x.as<T>());
  });
}

void CpuBackend::run(const ReluBackward& op, Scratch scratch) {
  if (op.y.dtype == DType::f64) return ReferenceBackend::run(op, scratch);
  with_type(op.y.dtype, [&]<class T>() {
    map(
        threads_, op.y.count(), [](float y, float dy) { return relu_gradient(y, dy); }, op.dx.as<T>(),
        op.y.as<T>(), op.dy.as<T>());
  });
}

void CpuBackend::run(const Accumulate& op, Scratch scratch) {
  if (op.into.dtype == DType::f64) return ReferenceBackend::run(op, scratch);
  with_type(op.into.dtype, [&]<class T>() {
    map(
        threads_, op.into.count(), [](float a, float b) { return a + b; }, op.into.as<T>(), op.into.as<T>(),
        op.from.as<T>());
  });
}

void CpuBackend::run(const Cast& op, Scratch scratch) {
  // This backend pads no channels: that case is for the tests.
  if (op.from.dtype == DType::f64 || op.to.dtype == DType::f64 || op.from.shape.c != op.to.shape.c)
    return ReferenceBackend::run(op, scratch);
  with_type(op.from.dtype, [&]<class From>() {
    with_type(op.to.dtype, [&]<class To>() {
      map(
          threads_, op.to.count(), [](float x) { return x; }, op.to.as<To>(), op.from.as<From>());
    });
  });
}

void CpuBackend::run(const Dropout& op, Scratch scratch) {
  if (op.x.dtype == DType::f64) return ReferenceBackend::run(op, scratch);
  const uint64_t stream =
      op.step ? dropout_stream(op.seed, op.stream, static_cast<uint64_t>(*op.step.as<int64_t>())) : op.stream;
  with_type(op.x.dtype, [&]<class T>() {
    const T* x = op.x.as<T>();
    T* y = op.y.as<T>();
    for_each_range(
        threads_, op.x.count(),
        [&](Range range) {
          for (int64_t i = range.begin; i < range.end; i += 4) {
            const PhiloxBlock words = dropout_words(i / 4, op.seed, stream);
            for (int64_t j = i; j < std::min(i + 4, range.end); ++j)
              y[j] = narrow<T>(dropout(widen(x[j]), words[static_cast<int>(j - i)], op.p));
          }
        },
        kGrain);
  });
}

void CpuBackend::run(const SetZero& op, Scratch) {
  for_each_range(
      threads_, static_cast<int64_t>(op.x.bytes()),
      [&](Range range) {
        std::memset(static_cast<std::byte*>(op.x.data) + range.begin, 0, static_cast<size_t>(range.size()));
      },
      kGrain);
}

size_t CpuBackend::scratch_for(const SumOfSquares& op) {
  if (op.x.dtype == DType::f64) return ReferenceBackend::scratch_for(op);
  return ScratchCutter::bytes_for({bytes_of<double>(threads_)});
}
void CpuBackend::run(const SumOfSquares& op, Scratch memory) {
  if (op.x.dtype == DType::f64) return ReferenceBackend::run(op, memory);
  with_type(op.x.dtype, [&]<class T>() {
    const T* x = op.x.as<T>();
    double* sums = ScratchCutter(memory).take_array<double>(threads_);
    for_each_part(threads_, [&](int part) {
      const Range range = part_of(op.x.count(), threads_, part);
      // Independent partial sums, so that the loop fills vector registers without reordering anything.
      constexpr int kLanes = 32;
      double lanes[kLanes] = {};
      int64_t i = range.begin;
      for (; i + kLanes <= range.end; i += kLanes)
        for (int lane = 0; lane < kLanes; ++lane) {
          const double value = widen(x[i + lane]);
          lanes[lane] += value * value;
        }
      double sum = 0;
      for (; i < range.end; ++i) sum += static_cast<double>(widen(x[i])) * widen(x[i]);
      for (const double lane : lanes) sum += lane;
      sums[part] = sum;
    });
    double total = 0;
    for (int part = 0; part < threads_; ++part) total += sums[part];
    *op.result.as<double>() = total;
  });
}

}  // namespace laban
