// The rungs. Compiled once per instruction set, like the kernels (cpu/kernels/isa_namespace.h).
#include <cstring>
#include <memory>
#include <vector>

#include "core/conv_geometry.h"
#include "core/host_block.h"
#include "cpu/kernels/conv_algorithms.h"
#include "cpu/kernels/conv_winograd.h"
#include "cpu/kernels/register_tile.h"
#include "cpu/ladder/rungs.h"

namespace laban::cpu::LABAN_ISA {
namespace {

constexpr int64_t kTaps = 9;

/// The input that tap `tap` of place (image, row, column) looks at; null in the padding.
const float* input_of(const LadderConvolution& c, int64_t image, int64_t row, int64_t column, int64_t tap) {
  const int64_t h = row + tap / 3 - 1, w = column + tap % 3 - 1;
  if (h < 0 || h >= c.rows || w < 0 || w >= c.columns) return nullptr;
  return c.x + ((image * c.rows + h) * c.columns + w) * c.inputs;
}
/// The same by the number of the place; zeros in the padding, and behind the last place.
const float* input_of(const LadderConvolution& c, int64_t place, int64_t tap, const float* zeros) {
  if (place >= c.places()) return zeros;
  const float* x =
      input_of(c, place / c.columns / c.rows, place / c.columns % c.rows, place % c.columns, tap);
  return x ? x : zeros;
}

// ---- 1. naive loops: the formula ---------------------------------------------------------------------------

std::function<void()> naive(const LadderConvolution& c, ThreadPool&) {
  return [c] {
    float* y = c.y;
    for (int64_t image = 0; image < c.images; ++image)
      for (int64_t row = 0; row < c.rows; ++row)
        for (int64_t column = 0; column < c.columns; ++column)
          for (int64_t o = 0; o < c.outputs; ++o) {
            float sum = 0;
            for (int64_t tap = 0; tap < kTaps; ++tap) {
              const float *x = input_of(c, image, row, column, tap), *w = c.w + (o * kTaps + tap) * c.inputs;
              for (int64_t i = 0; x && i < c.inputs; ++i) sum += w[i] * x[i];
            }
            *y++ = sum;
          }
  };
}

// ---- 2. another order of the loops: outputs innermost, so that a vector of them is computed at once --------

/// Weights as [tap][input][output].
std::vector<float> outputs_last(const LadderConvolution& c) {
  std::vector<float> w(static_cast<size_t>(kTaps * c.inputs * c.outputs));
  for (int64_t o = 0; o < c.outputs; ++o)
    for (int64_t k = 0; k < kTaps * c.inputs; ++k)
      w[static_cast<size_t>(k * c.outputs + o)] = c.w[o * kTaps * c.inputs + k];
  return w;
}

std::function<void()> outputs_innermost(const LadderConvolution& c, ThreadPool&) {
  return [c, weights = outputs_last(c)] {
    float* y = c.y;
    for (int64_t image = 0; image < c.images; ++image)
      for (int64_t row = 0; row < c.rows; ++row)
        for (int64_t column = 0; column < c.columns; ++column, y += c.outputs) {
          std::fill_n(y, c.outputs, 0.0f);
          const float* w = weights.data();
          for (int64_t tap = 0; tap < kTaps; ++tap) {
            const float* x = input_of(c, image, row, column, tap);
            for (int64_t i = 0; i < c.inputs; ++i, w += c.outputs) {
              if (!x) continue;
#pragma omp simd
              for (int64_t o = 0; o < c.outputs; ++o) y[o] += x[i] * w[o];
            }
          }
        }
  };
}

// ---- 3. registers: a tile of places x outputs stays in them while all its products are added ---------------

/// Writes the sums of a register tile of places from `place` on, outputs from `o` on, as far as there are any.
template <int rows, int vectors>
void write(const RegisterTile<rows, vectors>& sum, const LadderConvolution& c, int64_t place, int64_t o) {
  for (int64_t r = 0; r < std::min<int64_t>(rows, c.places() - place); ++r)
    for (int64_t v = 0; v < vectors; ++v) {
      const int64_t first = o + v * kLanes, count = std::min<int64_t>(kLanes, c.outputs - first);
      float* to = c.y + (place + r) * c.outputs + first;
      if (count == kLanes)
        store(to, sum[r][v]);
      else if (count > 0)
        store_some(to, sum[r][v], count);
    }
}

std::function<void()> in_registers(const LadderConvolution& c, ThreadPool&) {
  constexpr int vectors = 2, rows = rows_of_tile(vectors);
  // A whole number of tiles may end behind the last output.
  std::vector<float> weights = outputs_last(c), zeros(static_cast<size_t>(c.inputs));
  weights.resize(weights.size() + vectors * kLanes);
  return [c, weights = std::move(weights), zeros = std::move(zeros)] {
    for (int64_t place = 0; place < c.places(); place += rows)
      for (int64_t o = 0; o < c.outputs; o += vectors * kLanes) {
        RegisterTile<rows, vectors> sum;
        clear<rows, vectors>(sum);
        const float* w = weights.data() + o;
        for (int64_t tap = 0; tap < kTaps; ++tap) {
          const float* x[rows];
          for (int r = 0; r < rows; ++r) x[r] = input_of(c, place + r, tap, zeros.data());
          for (int64_t i = 0; i < c.inputs; ++i, w += c.outputs)
            for (int v = 0; v < vectors; ++v) {
              const Vector some = load(w + v * kLanes);
              for (int r = 0; r < rows; ++r) sum[r][v] += x[r][i] * some;
            }
        }
        write<rows, vectors>(sum, c, place, o);
      }
  };
}

// ---- 4. packing: weights lie in the order in which they are wanted -----------------------------------------

/// Weights as [tile of outputs][tap][input][outputs of the tile], with zeros behind the last output.
std::vector<float> packed_weights(const LadderConvolution& c, const OutputTiles& tiles) {
  const int64_t width = tiles.width(), depth = kTaps * c.inputs;
  std::vector<float> packed(static_cast<size_t>(tiles.count * depth * width));
  for (int64_t o = 0; o < c.outputs; ++o)
    for (int64_t k = 0; k < depth; ++k)
      packed[static_cast<size_t>((o / width * depth + k) * width + o % width)] = c.w[o * depth + k];
  return packed;
}

std::function<void()> packed(const LadderConvolution& c, ThreadPool&) {
  const OutputTiles tiles = OutputTiles::of(c.outputs);
  return [c, tiles, weights = packed_weights(c, tiles),
          zeros = std::vector<float>(static_cast<size_t>(c.inputs))] {
    with_vectors(tiles.vectors, [&]<int vectors>() {
      constexpr int rows = rows_of_tile(vectors);
      for (int64_t place = 0; place < c.places(); place += rows) {
        const float* x[kTaps][rows];
        for (int64_t tap = 0; tap < kTaps; ++tap)
          for (int r = 0; r < rows; ++r) x[tap][r] = input_of(c, place + r, tap, zeros.data());
        const float* w = weights.data();
        for (int64_t tile = 0; tile < tiles.count; ++tile) {
          RegisterTile<rows, vectors> sum;
          clear<rows, vectors>(sum);
          for (int64_t tap = 0; tap < kTaps; ++tap, w += c.inputs * tiles.width())
            add_products<rows, vectors>(sum, x[tap], w, c.inputs);
          write<rows, vectors>(sum, c, place, tile * tiles.width());
        }
      }
    });
  };
}

// ---- 5. cache blocks: what is used again soon is still near -------------------------------------------------

/// Places that are taken through all weights before the next ones: what they look at stays in L2. And products that
/// are added before another register tile has its turn: the weights of as many stay in L2, too.
constexpr int64_t kBlockPlaces = 96, kBlockProducts = 1024;

std::function<void()> in_blocks(const LadderConvolution& c, ThreadPool&) {
  const OutputTiles tiles = OutputTiles::of(c.outputs);
  return [c, tiles, weights = packed_weights(c, tiles),
          zeros = std::vector<float>(static_cast<size_t>(c.inputs)),
          table = std::vector<const float*>(kTaps * kBlockPlaces),
          sums = std::vector<float>(static_cast<size_t>(kBlockPlaces * tiles.width()))]() mutable {
    const int64_t taps_at_once = std::max<int64_t>(1, kBlockProducts / c.inputs), width = tiles.width();
    with_vectors(tiles.vectors, [&]<int vectors>() {
      constexpr int rows = rows_of_tile(vectors);
      static_assert(kBlockPlaces % rows == 0);
      for (int64_t first = 0; first < c.places(); first += kBlockPlaces) {
        for (int64_t tap = 0; tap < kTaps; ++tap)
          for (int64_t p = 0; p < kBlockPlaces; ++p)
            table[static_cast<size_t>(tap * kBlockPlaces + p)] = input_of(c, first + p, tap, zeros.data());
        for (int64_t tile = 0; tile < tiles.count; ++tile)
          for (int64_t begin = 0; begin < kTaps; begin += taps_at_once)
            for (int64_t p = 0; p < kBlockPlaces; p += rows) {
              RegisterTile<rows, vectors> sum;
              float* so_far = sums.data() + p * width;
              clear<rows, vectors>(sum);
              for (int64_t tap = begin; tap < std::min(begin + taps_at_once, kTaps); ++tap) {
                const float* x[rows];
                std::copy_n(table.begin() + tap * kBlockPlaces + p, rows, x);
                add_products<rows, vectors>(sum, x, weights.data() + (tile * kTaps + tap) * c.inputs * width,
                                            c.inputs);
              }
              put<rows, vectors>(sum, so_far, begin > 0);
              if (begin + taps_at_once < kTaps) continue;
              std::memcpy(&sum, so_far, sizeof sum);
              write<rows, vectors>(sum, c, first + p, tile * width);
            }
      }
    });
  };
}

// ---- 6. Winograd: a third of the products ------------------------------------------------------------------

using Rows = Filter<4>;  // F(4, 3) down, F(2, 3) across: 4 x 2 outputs from 6 x 4 products instead of 72
using Columns = Filter<2>;
constexpr int kElements = Rows::kElements * Columns::kElements;

/// G g G^T, as [tile of outputs][element][input][outputs of the tile].
std::vector<float> transformed_weights(const LadderConvolution& c, const OutputTiles& tiles) {
  const int64_t width = tiles.width(), depth = padded_channels(c.inputs);
  std::vector<float> transformed(static_cast<size_t>(tiles.count * kElements * depth * width));
  for (int64_t o = 0; o < c.outputs; ++o)
    for (int64_t i = 0; i < c.inputs; ++i)
      apply_both<3, 3, Rows::kElements, Columns::kElements, float>(
          [](const auto& g, auto& u) { Rows::kernel(g, u); },
          [](const auto& g, auto& u) { Columns::kernel(g, u); },
          [&](int row, int column) { return c.w[(o * kTaps + row * 3 + column) * c.inputs + i]; },
          [&](int row, int column, float u) {
            const int64_t element = row * Columns::kElements + column;
            transformed[static_cast<size_t>(((o / width * kElements + element) * depth + i) * width +
                                            o % width)] = u;
          });
  return transformed;
}

/// A^T M A of one tile of places and one of outputs; `m` is [element][...], elements lie `stride` from each other.
void write_tile(const LadderConvolution& c, const WinogradTile& tile, const float* m, int64_t stride,
                int64_t o) {
  for (int64_t first = o, end = std::min(c.outputs, o + stride); first < end; first += kLanes, m += kLanes)
    apply_both<Rows::kElements, Columns::kElements, Rows::kOutputs, Columns::kOutputs, Vector>(
        [](const auto& p, auto& y) { Rows::output(p, y); },
        [](const auto& p, auto& y) { Columns::output(p, y); },
        [&](int row, int column) { return load(m + (row * Columns::kElements + column) * stride); },
        [&](int row, int column, Vector y) {
          const int64_t h = tile.row + row, w = tile.column + column;
          if (h >= c.rows || w >= c.columns) return;
          store_some(c.y + ((tile.frame * c.rows + h) * c.columns + w) * c.outputs + first, y,
                     std::min<int64_t>(kLanes, end - first));
        });
}

std::function<void()> winograd(const LadderConvolution& c, ThreadPool&) {
  const ConvGeometry geometry{{c.images, c.inputs, 1, c.rows, c.columns},
                              {c.images, c.outputs, 1, c.rows, c.columns},
                              {{1, 3, 3}, {1, 1, 1}, {0, 1, 1}}};
  const WinogradPlan plan = plan_tiles(ConvDirection::forward, geometry, Rows::kOutputs, Columns::kOutputs);
  const OutputTiles outputs = OutputTiles::of(c.outputs);
  constexpr int64_t kBlock = 48;  // tiles of places that are taken through all weights at once
  const int64_t depth = padded_channels(c.inputs), width = outputs.width();
  // Behind each array as much as lets whole register tiles end there.
  std::vector<float> inputs(static_cast<size_t>(kElements * apart(kBlock * depth))),
      products(static_cast<size_t>(kBlock * kElements * width));
  return [=, weights = transformed_weights(c, outputs),
          zeros = std::vector<float>(static_cast<size_t>(c.inputs)), inputs = std::move(inputs),
          products = std::move(products)]() mutable {
    with_vectors(outputs.vectors, [&]<int vectors>() {
      constexpr int rows = rows_of_tile(vectors);
      static_assert(kBlock % rows == 0);
      for (int64_t first = 0; first < plan.tiles(); first += kBlock) {
        const int64_t tiles = std::min(kBlock, plan.tiles() - first);
        for (int64_t t = 0; t < tiles; ++t) {  // B^T d B, as [element][tile][input]
          const float* patch[Rows::kElements][Columns::kElements];
          find_patch<Rows, Columns>(plan, tile_at(plan, first + t), 0, c.x, zeros.data(), patch);
          transform_input<Rows, Columns>(patch, c.inputs, inputs.data() + t * depth, apart(kBlock * depth));
        }
        for (int64_t o = 0; o < outputs.count; ++o) {
          for (int64_t e = 0; e < kElements; ++e)  // a matrix product for each element
            for (int64_t t = 0; t < tiles; t += rows) {
              const float* in[rows];
              for (int r = 0; r < rows; ++r)
                in[r] = inputs.data() + e * apart(kBlock * depth) + (t + r) * depth;
              RegisterTile<rows, vectors> sum;
              clear<rows, vectors>(sum);
              add_products<rows, vectors>(sum, in, weights.data() + (o * kElements + e) * depth * width,
                                          depth);
              for (int r = 0; r < rows; ++r)  // as [tile][element][output]
                std::memcpy(products.data() + ((t + r) * kElements + e) * width, sum[r], sizeof sum[r]);
            }
          for (int64_t t = 0; t < tiles; ++t)
            write_tile(c, tile_at(plan, first + t), products.data() + t * kElements * width, width,
                       o * width);
        }
      }
    });
  };
}

// ---- 7. threads, and what laban uses -------------------------------------------------------------------------

std::function<void()> threads(const LadderConvolution& c, ThreadPool& pool) {
  const Shape x{c.images, c.inputs, 1, c.rows, c.columns}, y{c.images, c.outputs, 1, c.rows, c.columns};
  const ConvGeometry geometry{x, y, {{1, 3, 3}, {1, 1, 1}, {0, 1, 1}}};
  const std::shared_ptr<ConvTransform> kernel =
      make_winograd(ConvDirection::forward, geometry, DType::f32, Rows::kOutputs, Columns::kOutputs);
  // No std::make_shared: its tag must be one in the whole program, which the objects of the kernels cannot share.
  const std::shared_ptr<HostBlock> packed(new HostBlock(kernel->packed_bytes())),
      scratch(new HostBlock(kernel->scratch_bytes(pool.threads())));
  kernel->pack(c.w, DType::f32, packed->data(), pool);
  const ConvTransform::Run run{
      .in = c.x, .packed = packed->data(), .bias = nullptr, .out = c.y, .accumulate = false, .norm = nullptr};
  return [kernel, packed, scratch, run, &pool] {
    kernel->run(run, {scratch->data(), scratch->bytes()}, pool);
  };
}

constexpr LadderRung kRungs[] = {
    {"naive loops", naive},
    {"outputs innermost", outputs_innermost},
    {"tiles in registers", in_registers},
    {"packed weights", packed},
    {"cache blocks", in_blocks},
    {"Winograd F(4x2, 3x3)", winograd},
    {"threads", threads, true},
};

}  // namespace

std::span<const LadderRung> ladder() { return kRungs; }

}  // namespace laban::cpu::LABAN_ISA
