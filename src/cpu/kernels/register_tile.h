// The inner loop of every convolution here: a tile of rows x channels is kept in registers while products are
// added to it.
#pragma once

#include <algorithm>

#include "cpu/kernels/vectors.h"

namespace laban::cpu::LABAN_ISA {

/// How output channels are cut into register tiles of equal width: the fewest vectors in all; of equals, the
/// narrowest, since the more rows a tile has, the longer it lives on the weights that it loads.
struct OutputTiles {
  int64_t count = 1;
  int vectors = 1;  // of a tile

  static constexpr OutputTiles of(int64_t channels) {
    const int64_t all = div_up(channels, kLanes);
    OutputTiles best{all, 1};
    int64_t fewest = all == 1 ? 1 : INT64_MAX;
    for (const int vectors : {2, 3, 4}) {
      const int64_t count = div_up(all, vectors);
      if (count * vectors >= fewest) continue;
      fewest = count * vectors;
      best = {count, vectors};
    }
    return best;
  }
  constexpr int64_t width() const { return int64_t{vectors} * kLanes; }
};

/// Rows of a register tile. A row costs a pointer; there are enough of those for twelve rows.
constexpr int rows_of_tile(int vectors) { return std::min(kAccumulators / vectors, 12); }

template <int rows, int vectors>
using RegisterTile = Vector[rows][vectors];

template <int rows, int vectors>
[[gnu::always_inline]] inline void clear(RegisterTile<rows, vectors>& sum) {
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < vectors; ++v) sum[r][v] = Vector{};
}

/// sum[r][...] += sum over k of row[r][k] * weights[k][...]
template <int rows, int vectors>
[[gnu::always_inline]] inline void add_products(RegisterTile<rows, vectors>& sum,
                                                const float* const (&row)[rows], const float* weights,
                                                int64_t depth) {
  for (int64_t k = 0; k < depth; ++k, weights += vectors * kLanes) {
    Vector w[vectors];
    for (int v = 0; v < vectors; ++v) w[v] = load(weights + v * kLanes);
    for (int r = 0; r < rows; ++r)
      for (int v = 0; v < vectors; ++v) sum[r][v] += row[r][k] * w[v];
  }
}

/// to[r][...] = sum, or += sum.
template <int rows, int vectors>
[[gnu::always_inline]] inline void put(const RegisterTile<rows, vectors>& sum, float* to, bool add) {
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < vectors; ++v) {
      float* place = to + (r * vectors + v) * kLanes;
      store(place, add ? load(place) + sum[r][v] : sum[r][v]);
    }
}

}  // namespace laban::cpu::LABAN_ISA
