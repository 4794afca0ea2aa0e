#include "cpu/winograd.h"

#include "cpu/winograd_tiles.h"

namespace laban::cpu {
namespace {
using namespace winograd;

/// Tiles of a block: as many as keep its transformed inputs in half of a common L2 cache.
constexpr int64_t kBlockBytes = 512 * 1024;
constexpr int64_t kMaxBlock = 96;

/// Rows of a register tile. A row costs a pointer; there are enough of those for twelve rows.
constexpr int rows_of_tile(int vectors) { return std::min(kAccumulators / vectors, 12); }

/// out[row][...] = sum_k in[row][k] * weights[k][...] for all rows of a register tile.
template <int vectors>
void multiply(const float* in, const float* weights, int64_t depth, float* out) {
  constexpr int rows = rows_of_tile(vectors);
  Vector sum[rows][vectors];
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < vectors; ++v) sum[r][v] = Vector{};
  const float* row[rows];
  for (int r = 0; r < rows; ++r) row[r] = in + r * depth;
  for (int64_t k = 0; k < depth; ++k, weights += vectors * kLanes) {
    Vector w[vectors];
    for (int v = 0; v < vectors; ++v) w[v] = load(weights + v * kLanes);
    for (int r = 0; r < rows; ++r)
      for (int v = 0; v < vectors; ++v) sum[r][v] += row[r][k] * w[v];
  }
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < vectors; ++v) store(out + (r * vectors + v) * kLanes, sum[r][v]);
}

/// G g G^T of one 3 x 3 kernel, given and returned as arrays of some type with arithmetic.
template <class Value>
void transform_kernel(const Value (&g)[9], Value (&u)[kElements]) {
  Value half[4][3];  // G g
  for (int c = 0; c < 3; ++c) {
    const Value sum = (g[c] + g[6 + c]) * 0.5f, middle = g[3 + c] * 0.5f;
    half[0][c] = g[c];
    half[1][c] = sum + middle;
    half[2][c] = sum - middle;
    half[3][c] = g[6 + c];
  }
  for (int r = 0; r < 4; ++r) {
    const Value sum = (half[r][0] + half[r][2]) * 0.5f, middle = half[r][1] * 0.5f;
    u[r * 4] = half[r][0];
    u[r * 4 + 1] = sum + middle;
    u[r * 4 + 2] = sum - middle;
    u[r * 4 + 3] = half[r][2];
  }
}

/// Transformed kernels lie as [output tile][element][frame, input][outputs of the tile]; inputs are padded to
/// whole vectors, with zeros, so that frames and inputs together are one contiguous sum.
template <class T>
void transform_weights_of(const WinogradPlan& plan, bool mirrored, const T* weights, float* transformed) {
  const ChannelTiles tiles = ChannelTiles::of(plan.out.c);
  const int64_t width = tiles.width(), padded = padded_channels(plan.in.c), depth = plan.frames * padded;
  // The master layout is O,kT,3,3,I; mirrored, its I are our outputs.
  const int64_t stored_inputs = mirrored ? plan.out.c : plan.in.c;
  for_each_range(plan.threads, tiles.count * depth, [&](Range range) {
    for (int64_t item = range.begin; item < range.end; ++item) {
      const int64_t tile = item / depth, kt = item % depth / padded, i = item % padded;
      const int64_t stored_frame = mirrored ? plan.frames - 1 - kt : kt;
      float* to = transformed + (tile * kElements * depth + item % depth) * width;
      for (int64_t o = 0; o < width; o += kLanes) {
        const int64_t first = tile * width + o;
        const int64_t real = i < plan.in.c ? std::clamp<int64_t>(plan.out.c - first, 0, kLanes) : 0;
        Vector g[9], u[kElements];
        for (int tap = 0; tap < 9; ++tap) {
          if (mirrored) {
            const T* from =
                weights + ((i * plan.frames + stored_frame) * 9 + 8 - tap) * stored_inputs + first;
            g[tap] = real == kLanes ? load(from) : load_some(from, real);
          } else {
            g[tap] = Vector{};
            for (int64_t lane = 0; lane < real; ++lane)
              g[tap][lane] = widen(
                  weights[(((first + lane) * plan.frames + stored_frame) * 9 + tap) * stored_inputs + i]);
          }
        }
        transform_kernel(g, u);
        for (int e = 0; e < kElements; ++e) store(to + e * depth * width + o, u[e]);
      }
    }
  });
}

/// Y = A^T M A (+ bias) (+ what was there) of one tile, written to its places; a tile at the edge may have
/// one row or column only.
template <class T>
void write_tile(const WinogradPlan& plan, const Tile& tile, const float* m, int64_t element_stride,
                int64_t first, int64_t width, const WinogradTarget& target) {
  T* out = target.out.as<T>();
  const float* bias = target.bias;
  const int64_t channels = std::min(width, plan.out.c - first);
  T* places[2][2];
  for (int64_t r = 0; r < 2; ++r)
    for (int64_t c = 0; c < 2; ++c)
      places[r][c] =
          tile.row + r < plan.out.h && tile.column + c < plan.out.w
              ? out + ((tile.frame * plan.out.h + tile.row + r) * plan.out.w + tile.column + c) * plan.out.c +
                    first
              : nullptr;
  for (int64_t i = 0; i < channels; i += kLanes) {
    const int64_t real = std::min<int64_t>(kLanes, channels - i);
    Vector half[2][4];  // A^T M
    for (int c = 0; c < 4; ++c) {
      const auto at = [&](int r) { return load(m + (r * 4 + c) * element_stride + i); };
      const Vector m1 = at(1), m2 = at(2);
      half[0][c] = at(0) + m1 + m2;
      half[1][c] = m1 - m2 - at(3);
    }
    const Vector b = bias ? load_some(bias + first + i, real) : Vector{};
    for (int r = 0; r < 2; ++r) {
      const Vector y[2] = {half[r][0] + half[r][1] + half[r][2] + b,
                           half[r][1] - half[r][2] - half[r][3] + b};
      for (int c = 0; c < 2; ++c) {
        if (!places[r][c]) continue;
        T* place = places[r][c] + i;
        if (real == kLanes)
          store(place, target.accumulate ? load(place) + y[c] : y[c]);
        else
          store_some(place, target.accumulate ? load_some(place, real) + y[c] : y[c], real);
      }
    }
  }
}

/// Sizes, in floats, of what a thread keeps of a block.
struct BlockSizes {
  int64_t rows;   // tiles, up to a whole number of register tiles
  int64_t depth;  // frames and padded inputs: the length of the sums
  int64_t width;  // outputs of a register tile

  explicit BlockSizes(const WinogradPlan& plan) {
    const ChannelTiles tiles = ChannelTiles::of(plan.out.c);
    rows = round_up(plan.block, rows_of_tile(tiles.vectors));
    depth = plan.frames * padded_channels(plan.in.c);
    width = tiles.width();
  }
  int64_t element_inputs() const { return apart(rows * depth); }
  int64_t element_products() const { return apart(rows * width); }
  int64_t inputs() const { return kElements * element_inputs(); }
  int64_t products() const { return kElements * element_products(); }
};

/// One block of tiles: transform the inputs; then, for each tile of outputs, 16 products and the way back.
template <int vectors, class T>
void run_block(const WinogradPlan& plan, Range tiles, const T* in, const T* zeros, const float* transformed,
               const WinogradTarget& target, float* inputs, float* products) {
  constexpr int kRows = rows_of_tile(vectors);
  const BlockSizes sizes(plan);
  // inputs: [element][tile][frame, input]; products: [element][tile][output]
  const int64_t element_inputs = sizes.element_inputs(), element_products = sizes.element_products();
  for (int64_t b = 0; b < tiles.size(); ++b)
    for (int64_t kt = 0; kt < plan.frames; ++kt)
      transform_input(patch_of(plan, tile_at(plan, tiles.begin + b), kt, in, zeros), plan.in.c,
                      inputs + b * sizes.depth + kt * padded_channels(plan.in.c), element_inputs);
  const int64_t output_tiles = ChannelTiles::of(plan.out.c).count;
  for (int64_t o = 0; o < output_tiles; ++o) {
    for (int e = 0; e < kElements; ++e) {
      const float* weights = transformed + (o * kElements + e) * sizes.depth * sizes.width;
      for (int64_t b = 0; b < tiles.size(); b += kRows)
        multiply<vectors>(inputs + e * element_inputs + b * sizes.depth, weights, sizes.depth,
                          products + e * element_products + b * sizes.width);
    }
    for (int64_t b = 0; b < tiles.size(); ++b)
      write_tile<T>(plan, tile_at(plan, tiles.begin + b), products + b * sizes.width, element_products,
                    o * sizes.width, sizes.width, target);
  }
}

}  // namespace

bool suits_winograd(ConvDirection direction, const ConvGeometry& g) {
  const auto& [kernel, stride, padding] = g.window;
  const bool has_tiles = kernel[1] == 3 && kernel[2] == 3 && stride[1] == 1 && stride[2] == 1 &&
                         padding[1] <= 2 && padding[2] <= 2;
  const bool mirrors = direction != ConvDirection::data || (stride[0] == 1 && padding[0] < kernel[0]);
  // With few channels the transforms cost more than the products they save (less so for the gradient of the
  // weights, where the alternative is slower); with few tiles, fetching the 16/9 times larger kernels does.
  const int64_t least_channels = direction == ConvDirection::weights ? 16 : 32;
  const int64_t tiles = g.y.n * g.y.t * div_up(g.y.h, 2) * div_up(g.y.w, 2);
  return has_tiles && mirrors && std::min(g.x.c, g.y.c) >= least_channels && tiles >= 64;
}

WinogradPlan plan_winograd(ConvDirection direction, const ConvGeometry& g, int threads) {
  WinogradPlan plan;
  const bool mirrored = direction == ConvDirection::data;
  plan.in = mirrored ? g.y : g.x;
  plan.out = mirrored ? g.x : g.y;
  plan.frames = g.window.kernel[0];
  plan.frame_stride = g.window.stride[0];
  for (size_t axis = 0; axis < 3; ++axis)
    plan.padding[axis] =
        mirrored ? g.window.kernel[axis] - 1 - g.window.padding[axis] : g.window.padding[axis];
  plan.threads = threads;
  plan.tile_rows = div_up(plan.out.h, 2);
  plan.tile_columns = div_up(plan.out.w, 2);
  const int64_t tile_bytes =
      kElements * plan.frames * padded_channels(plan.in.c) * static_cast<int64_t>(sizeof(float));
  plan.block = std::clamp<int64_t>(kBlockBytes / tile_bytes, kAccumulators, kMaxBlock);
  return plan;
}

int64_t winograd_weights_count(const WinogradPlan& plan) {
  const ChannelTiles tiles = ChannelTiles::of(plan.out.c);
  return tiles.count * tiles.width() * kElements * plan.frames * padded_channels(plan.in.c);
}

void transform_weights(const WinogradPlan& plan, ConvDirection direction, const void* weights, DType dtype,
                       float* transformed) {
  with_type(dtype, [&]<class T>() {
    transform_weights_of(plan, direction == ConvDirection::data, static_cast<const T*>(weights), transformed);
  });
}

size_t winograd_scratch_bytes(const WinogradPlan& plan) {
  const BlockSizes sizes(plan);
  return ScratchCutter::bytes_for(
      {bytes_of<float>(plan.in.c), bytes_of<float>((sizes.inputs() + sizes.products()) * plan.threads)});
}

void run_winograd(const WinogradPlan& plan, const Tensor& in, const float* transformed,
                  const WinogradTarget& target, Scratch memory) {
  const BlockSizes sizes(plan);
  const int vectors = ChannelTiles::of(plan.out.c).vectors;
  ScratchCutter scratch(memory);
  with_type(in.dtype, [&]<class T>() {
    T* zeros = scratch.take_array<T>(plan.in.c);
    std::fill_n(zeros, plan.in.c, T{});
    float* blocks = scratch.take_array<float>((sizes.inputs() + sizes.products()) * plan.threads);
    const T* from = in.as<T>();
    with_vectors(vectors, [&]<int vectors_>() {
      for_each_part(plan.threads, [&](int part) {
        float* inputs = blocks + (sizes.inputs() + sizes.products()) * part;
        clear_for_padding(inputs, sizes.inputs());
        for_each_block(part_of(plan.tiles(), plan.threads, part), plan.block, [&](Range tiles) {
          run_block<vectors_>(plan, tiles, from, zeros, transformed, target, inputs, inputs + sizes.inputs());
        });
      });
    });
  });
}

}  // namespace laban::cpu
