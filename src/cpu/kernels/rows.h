// Walks over activations that treat each channel by itself, and sums per channel.
//
// In memory, places follow each other, each with all of its channels. Where channels are few, several places
// are taken as one row, so that a row is long and made of whole vectors: what there is one of per channel
// (a scale, a sum) then exists once per element of the row. Rows are cut into tiles.
//
// Sums: terms of up to kRun rows are added in float, then these sums in double. A float sum of n terms, added
// four by four, goes through n/4 + 2 roundings of at most u = 2^-24 each, relative to the sum of the terms'
// absolute values; so with kRun = 32, a sum S of terms s_i has an error of at most 10u * sum |s_i|. Roundings
// are as often up as down: over the many runs of a large tensor they cancel as 1/sqrt(runs), and in practice
// the result is as good as if all had been added in double. Adding in double from the start would halve the
// lanes and double the instructions, in loops that should wait for nothing but memory.
#pragma once

#include <algorithm>
#include <cstring>
#include <numeric>

#include "cpu/elements.h"
#include "cpu/kernels/isa_namespace.h"
#include "cpu/thread_pool.h"
#include "cpu/tiles.h"

namespace laban::cpu::LABAN_ISA {

constexpr int64_t kRun = 32;   // rows whose terms are added in float
constexpr int64_t kGroup = 4;  // rows that are taken at once: their sums are read and written once

/// Asks for what lies kAhead bytes beyond `count` elements: the processor foresees a walk within a page only,
/// and waits at each new one. (Reading alone, a core of a Zen 5 server: 18 GB/s without, 30 with this.)
constexpr int64_t kAhead = 4096;
template <class T>
void fetch_ahead(const T* from, int64_t count) {
  const char* bytes = reinterpret_cast<const char*>(from) + kAhead;
  for (int64_t i = 0; i < count * static_cast<int64_t>(sizeof(T)); i += 64) __builtin_prefetch(bytes + i);
}

struct Rows {
  int64_t channels, width, elements;
  int64_t full;  // rows; a last, shorter one may follow
  Tiles tiles;

  explicit Rows(const Shape& shape) : channels(shape.c), width(shape.c), elements(shape.count()) {
    constexpr int64_t kLongEnough = 64, kVector = 16;
    if (channels < kLongEnough) {
      width = std::lcm(channels, kVector);
      width *= (kLongEnough + width - 1) / width;
    }
    full = elements / width;
    const int64_t rows = (elements + width - 1) / width;
    // At most 256 tiles, whose sums are added one after the other; enough rows for a tile's sums to be small
    // beside them.
    tiles = {rows, std::max<int64_t>({rows / 256 + 1, Tiles::kTileElements / width, kRun})};
  }

  /// Calls body.operator()<rows>(first element, width) for every row of a tile, kGroup at a time or singly,
  /// and pause() after at most kRun of them.
  template <class Body, class Pause>
  void walk(int64_t tile, Body&& body, Pause&& pause) const {
    const int64_t end = tiles.end(tile);
    for (int64_t row = tiles.begin(tile); row < end;) {
      const int64_t stop = std::min(end, row + kRun);
      for (; row + kGroup <= std::min(stop, full); row += kGroup)
        body.template operator()<kGroup>(row * width, width);
      for (; row < stop; ++row)
        body.template operator()<1>(row * width, std::min(width, elements - row * width));
      pause();
    }
  }
  template <class Body>
  void walk(int64_t tile, Body&& body) const {
    walk(tile, body, [] {});
  }

  /// What there is one of per channel, once per element of a row.
  void spread(const float* of_channel, float* of_element) const {
    for (int64_t i = 0; i < width; i += channels)
      std::memcpy(of_element + i, of_channel, static_cast<size_t>(channels) * sizeof(float));
  }
};

/// `quantities` sums for each channel: a worker adds its tile up, and the tiles are added in their order.
template <int64_t quantities>
class ChannelSums {
 public:
  static size_t bytes(const Rows& rows, int threads) {
    return ScratchCutter::bytes_for({worker_bytes(rows) * static_cast<size_t>(threads),
                                     bytes_of<double>(quantities * rows.channels * rows.tiles.tiles())});
  }
  ChannelSums(const Rows& rows, ScratchCutter& scratch, int threads)
      : rows_(rows),
        workers_(static_cast<std::byte*>(scratch.take(worker_bytes(rows) * static_cast<size_t>(threads)))),
        tiles_(scratch.take_array<double>(quantities * rows.channels * rows.tiles.tiles())) {}

  /// For each tile, calls body.operator()<rows>(first element, width, sums): sums[q * row width + i] += the
  /// terms of quantity q at element i of these rows.
  template <class Body>
  void add(ThreadPool& pool, Body&& body) const {
    pool.for_each_tile(rows_.tiles.tiles(), [&](int64_t tile, int worker) {
      const int64_t count = quantities * rows_.width;
      std::byte* mine = workers_ + worker_bytes(rows_) * static_cast<size_t>(worker);
      double* wide = reinterpret_cast<double*>(mine);
      float* sums = reinterpret_cast<float*>(wide + count);
      std::fill_n(wide, count, 0.0);
      std::fill_n(sums, count, 0.0f);
      rows_.walk(
          tile,
          [&]<int64_t rows>(int64_t at, int64_t width) { body.template operator()<rows>(at, width, sums); },
          [&] {
#pragma omp simd
            for (int64_t i = 0; i < count; ++i) {
              wide[i] += sums[i];
              sums[i] = 0;
            }
          });
      double* to = tiles_ + quantities * rows_.channels * tile;
      for (int64_t q = 0; q < quantities; ++q, wide += rows_.width, to += rows_.channels) {
        std::copy_n(wide, rows_.channels, to);
        for (int64_t i = rows_.channels; i < rows_.width; i += rows_.channels)
          for (int64_t c = 0; c < rows_.channels; ++c) to[c] += wide[i + c];
      }
    });
    for (int64_t tile = 1; tile < rows_.tiles.tiles(); ++tile) {
      const double* from = tiles_ + quantities * rows_.channels * tile;
#pragma omp simd
      for (int64_t i = 0; i < quantities * rows_.channels; ++i) tiles_[i] += from[i];
    }
  }
  /// The sums of a quantity, by channel.
  const double* of(int64_t quantity) const { return tiles_ + quantity * rows_.channels; }

 private:
  static size_t worker_bytes(const Rows& rows) {
    const int64_t count = quantities * rows.width;
    return (bytes_of<double>(count) + bytes_of<float>(count) + 63) / 64 * 64;
  }

  const Rows& rows_;
  std::byte* workers_;
  double* tiles_;
};

}  // namespace laban::cpu::LABAN_ISA
