// Ops that look at one element at a time, and the sum of squares.
#include <algorithm>
#include <cstring>

#include "core/ops/elementwise.h"
#include "core/ops/optimizer.h"
#include "cpu/elements.h"
#include "cpu/kernels/ops.h"
#include "cpu/tiles.h"
#include "math/activation.h"
#include "math/dropout.h"

namespace laban::cpu::LABAN_ISA {
namespace {

/// Calls body(begin, end) for the stretches of [0, count), in several threads.
template <class Body>
void for_each_stretch(ThreadPool& pool, int64_t count, Body&& body) {
  const Tiles tiles = Tiles::of(count, 1);
  pool.for_each_tile(tiles.tiles(), [&](int64_t tile, int) { body(tiles.begin(tile), tiles.end(tile)); });
}

/// to[i] = f(from[i]...) for all i. Outputs may be one of the inputs.
template <class To, class F, class... From>
void map(ThreadPool& pool, int64_t count, F&& f, To* to, const From*... from) {
  for_each_stretch(pool, count, [&](int64_t begin, int64_t end) {
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) to[i] = narrow<To>(f(widen(from[i])...));
  });
}

}  // namespace

void run(const ReluForward& op, Scratch, ThreadPool& pool) {
  with_type(op.x.dtype, [&]<class T>() {
    map(
        pool, op.x.count(), [](float x) { return relu(x); }, op.y.as<T>(), op.x.as<T>());
  });
}

void run(const ReluBackward& op, Scratch, ThreadPool& pool) {
  with_type(op.y.dtype, [&]<class T>() {
    map(
        pool, op.y.count(), [](float y, float dy) { return relu_gradient(y, dy); }, op.dx.as<T>(),
        op.y.as<T>(), op.dy.as<T>());
  });
}

void run(const Accumulate& op, Scratch, ThreadPool& pool) {
  with_type(op.into.dtype, [&]<class T>() {
    map(
        pool, op.into.count(), [](float a, float b) { return a + b; }, op.into.as<T>(), op.into.as<T>(),
        op.from.as<T>());
  });
}

void run(const Cast& op, Scratch, ThreadPool& pool) {
  with_type(op.from.dtype, [&]<class From>() {
    with_type(op.to.dtype, [&]<class To>() {
      map(
          pool, op.to.count(), [](float x) { return x; }, op.to.as<To>(), op.from.as<From>());
    });
  });
}

void run(const Dropout& op, Scratch, ThreadPool& pool) {
  const uint64_t stream =
      op.step ? dropout_stream(op.seed, op.stream, static_cast<uint64_t>(*op.step.as<int64_t>())) : op.stream;
  with_type(op.x.dtype, [&]<class T>() {
    const T* x = op.x.as<T>();
    T* y = op.y.as<T>();
    static_assert(Tiles::kTileElements % 4 == 0);  // a block of random words belongs to one tile
    for_each_stretch(pool, op.x.count(), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i += 4) {
        const PhiloxBlock words = dropout_words(i / 4, op.seed, stream);
        for (int64_t j = i; j < std::min(i + 4, end); ++j)
          y[j] = narrow<T>(dropout(widen(x[j]), words[static_cast<int>(j - i)], op.p));
      }
    });
  });
}

void run(const SetZero& op, Scratch, ThreadPool& pool) {
  const Tiles tiles = Tiles::of(static_cast<int64_t>(op.x.bytes()), sizeof(float));
  pool.for_each_tile(tiles.tiles(), [&, bytes = static_cast<std::byte*>(op.x.data)](int64_t tile, int) {
    std::memset(bytes + tiles.begin(tile), 0, static_cast<size_t>(tiles.end(tile) - tiles.begin(tile)));
  });
}

size_t scratch_bytes(const SumOfSquares& op, int) {
  return ScratchCutter::bytes_for({bytes_of<double>(Tiles::of(op.x.count(), 1).tiles())});
}
void run(const SumOfSquares& op, Scratch memory, ThreadPool& pool) {
  with_type(op.x.dtype, [&]<class T>() {
    const T* x = op.x.as<T>();
    const Tiles tiles = Tiles::of(op.x.count(), 1);
    double* sums = ScratchCutter(memory).take_array<double>(tiles.tiles());
    pool.for_each_tile(tiles.tiles(), [&](int64_t tile, int) {
      // Independent partial sums, so that the loop fills vector registers without reordering anything.
      constexpr int kPartial = 32;
      double partial[kPartial] = {};
      int64_t i = tiles.begin(tile);
      const int64_t end = tiles.end(tile);
      for (; i + kPartial <= end; i += kPartial)
        for (int lane = 0; lane < kPartial; ++lane) {
          const double value = widen(x[i + lane]);
          partial[lane] += value * value;
        }
      double sum = 0;
      for (; i < end; ++i) sum += static_cast<double>(widen(x[i])) * widen(x[i]);
      for (const double lane : partial) sum += lane;
      sums[tile] = sum;
    });
    double total = 0;
    for (int64_t tile = 0; tile < tiles.tiles(); ++tile) total += sums[tile];
    *op.result.as<double>() = total;
  });
}

}  // namespace laban::cpu::LABAN_ISA
