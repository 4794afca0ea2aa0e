// The gradient of the weights through Winograd's transforms. Formulas: winograd.h.
#include "cpu/winograd_tiles.h"

namespace laban::cpu {
namespace {
using namespace winograd;

/// Tiles of a block: long sums keep the products in registers, short ones keep the block in L2.
constexpr int64_t kBlockBytes = 768 * 1024;
constexpr int64_t kMaxBlock = 96;

constexpr int outputs_of_tile(int vectors) { return kAccumulators / vectors; }

/// How the sums over tiles are cut.
struct Sizes {
  ChannelTiles inputs;  // register tiles along the inputs
  int64_t padded_in, padded_out;
  int64_t block;    // tiles that are transformed together
  int64_t element;  // floats of one element's sums: [output][frame, input]
  int groups;       // threads that share the tiles; the others share the elements

  explicit Sizes(const WinogradPlan& plan)
      : inputs(ChannelTiles::of(plan.in.c)),
        padded_in(inputs.count * inputs.width()),
        padded_out(round_up(plan.out.c, outputs_of_tile(inputs.vectors)) + kLanes),
        element(apart(plan.out.c * plan.frames * padded_in)) {
    const int64_t tile_bytes =
        kElements * (plan.frames * padded_in + padded_out) * static_cast<int64_t>(sizeof(float));
    block = std::clamp<int64_t>(kBlockBytes / tile_bytes, 32, kMaxBlock);
    // Sums per group of threads must be cleared, filled and added up: only where the tiles outweigh them.
    const int64_t tile_work = plan.tiles() * (plan.frames * padded_in + padded_out);
    groups = tile_work > 2 * element ? plan.threads : 1;
  }
  int64_t element_v(const WinogradPlan& plan) const { return apart(block * plan.frames * padded_in); }
  int64_t element_dm() const { return apart(block * padded_out); }
  int64_t block_floats(const WinogradPlan& plan) const {
    return kElements * (element_v(plan) + element_dm());
  }
};

/// dM = A dY A^T of one tile: element e goes to to[e * element_stride ...].
template <class T>
void transform_output_gradient(const WinogradPlan& plan, const Tile& tile, const T* dy, float* to,
                               int64_t element_stride) {
  const int64_t channels = plan.out.c;
  const bool has_row = tile.row + 1 < plan.out.h, has_column = tile.column + 1 < plan.out.w;
  const T* place = dy + ((tile.frame * plan.out.h + tile.row) * plan.out.w + tile.column) * channels;
  for (int64_t i = 0; i < channels; i += kLanes) {
    const int64_t real = std::min<int64_t>(kLanes, channels - i);
    const auto at = [&](bool exists, const T* from) {
      if (!exists) return Vector{};
      return real == kLanes ? load(from + i) : load_some(from + i, real);
    };
    const Vector y00 = at(true, place), y01 = at(has_column, place + channels);
    const Vector y10 = at(has_row, place + plan.out.w * channels);
    const Vector y11 = at(has_row && has_column, place + (plan.out.w + 1) * channels);
    const Vector half[4][2] = {
        {y00, y01}, {y00 + y10, y01 + y11}, {y00 - y10, y01 - y11}, {-y10, -y11}};  // A dY
    for (int r = 0; r < 4; ++r) {
      float* row = to + r * 4 * element_stride + i;
      store(row, half[r][0]);
      store(row + element_stride, half[r][0] + half[r][1]);
      store(row + 2 * element_stride, half[r][0] - half[r][1]);
      store(row + 3 * element_stride, -half[r][1]);
    }
  }
}

/// sums[o][i] += sum over tiles of dm[tile][o] * v[tile][i], for a register tile; `outputs` of it exist.
template <int vectors>
void multiply(const float* v, int64_t v_stride, const float* dm, int64_t dm_stride, int64_t tiles,
              float* sums, int64_t sums_stride, int64_t outputs) {
  constexpr int kOutputs = outputs_of_tile(vectors);
  Vector sum[kOutputs][vectors];
  for (int o = 0; o < kOutputs; ++o)
    for (int j = 0; j < vectors; ++j) sum[o][j] = Vector{};
  for (int64_t b = 0; b < tiles; ++b, v += v_stride, dm += dm_stride) {
    Vector in[vectors];
    for (int j = 0; j < vectors; ++j) in[j] = load(v + j * kLanes);
    for (int o = 0; o < kOutputs; ++o)
      for (int j = 0; j < vectors; ++j) sum[o][j] += dm[o] * in[j];
  }
  for (int o = 0; o < kOutputs; ++o) {
    if (o >= outputs) break;
    for (int j = 0; j < vectors; ++j) {
      float* place = sums + o * sums_stride + j * kLanes;
      store(place, load(place) + sum[o][j]);
    }
  }
}

/// A block of tiles: transform both sides, then 16 products for the elements [elements).
template <int vectors, class T>
void add_block(const WinogradPlan& plan, const Sizes& sizes, Range tiles, Range elements, const T* x,
               const T* zeros, const T* dy, float* sums, float* buffers) {
  const int64_t depth = plan.frames * sizes.padded_in, outputs = outputs_of_tile(vectors);
  const int64_t element_v = sizes.element_v(plan), element_dm = sizes.element_dm();
  float *v = buffers, *dm = buffers + kElements * element_v;  // [element][tile][...]
  for (int64_t b = 0; b < tiles.size(); ++b) {
    const Tile tile = tile_at(plan, tiles.begin + b);
    for (int64_t kt = 0; kt < plan.frames; ++kt)
      transform_input(patch_of(plan, tile, kt, x, zeros), plan.in.c, v + b * depth + kt * sizes.padded_in,
                      element_v);
    transform_output_gradient(plan, tile, dy, dm + b * sizes.padded_out, element_dm);
  }
  for (int64_t e = elements.begin; e < elements.end; ++e)
    for (int64_t i = 0; i < depth; i += sizes.inputs.width())
      for (int64_t o = 0; o < plan.out.c; o += outputs)
        multiply<vectors>(v + e * element_v + i, depth, dm + e * element_dm + o, sizes.padded_out,
                          tiles.size(), sums + e * sizes.element + o * depth + i, depth, plan.out.c - o);
}

/// dw += G^T U G for the outputs [outputs), U being the sums of all groups of threads.
void add_transformed(const WinogradPlan& plan, const Sizes& sizes, const float* sums, Range outputs,
                     float* dw) {
  const int64_t depth = plan.frames * sizes.padded_in;
  for (int64_t o = outputs.begin; o < outputs.end; ++o)
    for (int64_t kt = 0; kt < plan.frames; ++kt)
      for (int64_t i = 0; i < plan.in.c; i += kLanes) {
        Vector u[kElements];
        for (int e = 0; e < kElements; ++e) {
          const float* from = sums + e * sizes.element + o * depth + kt * sizes.padded_in + i;
          u[e] = load(from);
          for (int group = 1; group < sizes.groups; ++group)
            u[e] += load(from + group * kElements * sizes.element);
        }
        Vector half[3][4];  // G^T U
        for (int c = 0; c < 4; ++c) {
          const Vector sum = (u[4 + c] + u[8 + c]) * 0.5f;
          half[0][c] = u[c] + sum;
          half[1][c] = (u[4 + c] - u[8 + c]) * 0.5f;
          half[2][c] = sum + u[12 + c];
        }
        const int64_t real = std::min<int64_t>(kLanes, plan.in.c - i);
        float* to = dw + (o * plan.frames + kt) * 9 * plan.in.c + i;
        for (int r = 0; r < 3; ++r) {
          const Vector sum = (half[r][1] + half[r][2]) * 0.5f;
          const Vector g[3] = {half[r][0] + sum, (half[r][1] - half[r][2]) * 0.5f, sum + half[r][3]};
          for (int c = 0; c < 3; ++c) {
            float* place = to + (r * 3 + c) * plan.in.c;
            if (real == kLanes)
              store(place, load(place) + g[c]);
            else
              store_some(place, load_some(place, real) + g[c], real);
          }
        }
      }
}

}  // namespace

size_t winograd_gradient_scratch_bytes(const WinogradPlan& plan) {
  const Sizes sizes(plan);
  return ScratchCutter::bytes_for({bytes_of<float>(plan.in.c),
                                   bytes_of<float>(kElements * sizes.element * sizes.groups),
                                   bytes_of<float>(sizes.block_floats(plan) * plan.threads)});
}

void add_winograd_gradient(const WinogradPlan& plan, const Tensor& x, const Tensor& dy, float* dw,
                           Scratch memory) {
  const Sizes sizes(plan);
  ScratchCutter scratch(memory);
  with_type(x.dtype, [&]<class T>() {
    T* zeros = scratch.take_array<T>(plan.in.c);
    std::fill_n(zeros, plan.in.c, T{});
    float* sums = scratch.take_array<float>(kElements * sizes.element * sizes.groups);
    float* buffers = scratch.take_array<float>(sizes.block_floats(plan) * plan.threads);
    const T *x_data = x.as<T>(), *dy_data = dy.as<T>();
    with_vectors(sizes.inputs.vectors, [&]<int vectors>() {
      for_each_part(plan.threads, [&](int part) {
        const bool shares_tiles = sizes.groups > 1 || plan.threads == 1;
        const Range tiles = shares_tiles ? part_of(plan.tiles(), plan.threads, part) : Range{0, plan.tiles()};
        const Range elements = shares_tiles ? Range{0, kElements} : part_of(kElements, plan.threads, part);
        float* mine = sums + (sizes.groups > 1 ? part : 0) * kElements * sizes.element;
        float* buffer = buffers + sizes.block_floats(plan) * part;
        clear_for_padding(buffer, sizes.block_floats(plan));
        std::fill(mine + elements.begin * sizes.element, mine + elements.end * sizes.element, 0.0f);
        for_each_block(tiles, sizes.block, [&](Range block) {
          add_block<vectors>(plan, sizes, block, elements, x_data, zeros, dy_data, mine, buffer);
        });
      });
    });
    for_each_range(plan.threads, plan.out.c,
                   [&](Range outputs) { add_transformed(plan, sizes, sums, outputs, dw); });
  });
}

}  // namespace laban::cpu
