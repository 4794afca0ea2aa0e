// The gradient of the weights through Winograd's transforms. Formulas: conv_winograd.h.
//
// The tiles fall into groups, by shape alone; each has its own sums, which are added up in the order of the
// groups on the way back through the transform.
#include <algorithm>

#include "cpu/kernels/conv_algorithms.h"
#include "cpu/kernels/conv_winograd.h"
#include "cpu/thread_pool.h"

namespace laban::cpu::LABAN_ISA {
namespace {

/// Tiles of a block: long sums keep the products in registers, short ones keep the block in L2.
constexpr int64_t kBlockBytes = 768 * 1024;
constexpr int64_t kMinBlock = 96, kMaxBlock = 128;
constexpr int64_t kMaxGroups = 8, kWantedTasks = 8;

constexpr int outputs_of_tile(int vectors) { return kAccumulators / vectors; }

/// How the sums over tiles are cut.
struct Sizes {
  int elements;
  ChannelTiles inputs;  // register tiles along the inputs
  int64_t padded_in, depth;
  int64_t share_outputs;  // outputs of a share, a whole number of register tiles
  int64_t padded_out;     // of a share, with room for a vector too many
  int64_t block;          // tiles that are transformed together
  int64_t element;        // floats of one element's sums: [output][frame, input]
  int64_t groups;         // of tiles, each with its own sums
  int64_t shares;         // tasks that share a group's outputs

  explicit Sizes(const WinogradPlan& plan) : inputs(ChannelTiles::of(plan.in.c)) {
    const auto elements_of = [](int m) { return m == 1 ? 1 : m + 2; };
    elements = elements_of(plan.row_outputs) * elements_of(plan.column_outputs);
    padded_in = inputs.count * inputs.width();
    depth = plan.frames * padded_in;
    element = apart(plan.out.c * depth);
    // A group's sums are cleared, filled and added up: the tiles must outweigh that.
    groups =
        std::clamp<int64_t>(plan.tiles() * (depth + plan.out.c) / (2 * plan.out.c * depth), 1, kMaxGroups);
    const int64_t outputs = outputs_of_tile(inputs.vectors);
    const int64_t wanted = std::clamp<int64_t>(kWantedTasks / groups, 1, div_up(plan.out.c, 4 * outputs));
    share_outputs = round_up(div_up(plan.out.c, wanted), outputs);
    shares = div_up(plan.out.c, share_outputs);
    padded_out = share_outputs + kLanes;
    const int64_t tile_bytes = elements * (depth + padded_out) * static_cast<int64_t>(sizeof(float));
    block = std::clamp<int64_t>(kBlockBytes / tile_bytes, kMinBlock, kMaxBlock);
  }
  int64_t element_v() const { return apart(block * depth); }
  int64_t element_dm() const { return apart(block * padded_out); }
  int64_t block_floats() const { return elements * (element_v() + element_dm()); }
};

/// dM = A dY A^T of one tile, of the outputs from `first` on: element e goes to to[e * element_stride ...].
template <class Rows, class Columns, class T>
void transform_output_gradient(const WinogradPlan& plan, const WinogradTile& tile, const T* dy, int64_t first,
                               int64_t outputs, float* to, int64_t element_stride) {
  const int64_t rows = plan.out.h - tile.row, columns = plan.out.w - tile.column;
  const T* place =
      dy + ((tile.frame * plan.out.h + tile.row) * plan.out.w + tile.column) * plan.out.c + first;
  for (int64_t i = 0; i < outputs; i += kLanes) {
    const int64_t real = std::min<int64_t>(kLanes, outputs - i);
    apply_both<Rows::kOutputs, Columns::kOutputs, Rows::kElements, Columns::kElements, Vector>(
        [](const auto& y, auto& p) { Rows::output_gradient(y, p); },
        [](const auto& y, auto& p) { Columns::output_gradient(y, p); },
        [&](int r, int c) {
          if (r >= rows || c >= columns) return Vector{};
          const T* from = place + (r * plan.out.w + c) * plan.out.c + i;
          return real == kLanes ? load(from) : load_some(from, real);
        },
        [&](int r, int c, Vector p) { store(to + (r * Columns::kElements + c) * element_stride + i, p); });
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

/// A block of tiles, the outputs from `first` on: transform both sides, then a product for each element.
template <class Rows, class Columns, int vectors, class T>
void add_block(const WinogradPlan& plan, const Sizes& sizes, int64_t first_tile, int64_t tiles, int64_t first,
               int64_t outputs, const T* x, const T* zeros, const T* dy, float* sums, float* buffers) {
  constexpr int kElements = Rows::kElements * Columns::kElements;
  const int64_t element_v = sizes.element_v(), element_dm = sizes.element_dm(), depth = sizes.depth;
  float *v = buffers, *dm = buffers + kElements * element_v;  // [element][tile][...]
  for (int64_t b = 0; b < tiles; ++b) {
    const WinogradTile tile = tile_at(plan, first_tile + b);
    for (int64_t kt = 0; kt < plan.frames; ++kt) {
      const T* patch[Rows::kElements][Columns::kElements];
      float* to = v + b * depth + kt * sizes.padded_in;
      if (find_patch<Rows, Columns>(plan, tile, kt, x, zeros, patch))
        transform_input<Rows, Columns>(patch, plan.in.c, to, element_v);
      else
        for (int e = 0; e < kElements; ++e) std::fill_n(to + e * element_v, sizes.padded_in, 0.0f);
    }
    transform_output_gradient<Rows, Columns>(plan, tile, dy, first, outputs, dm + b * sizes.padded_out,
                                             element_dm);
  }
  for (int e = 0; e < kElements; ++e)
    for (int64_t i = 0; i < depth; i += sizes.inputs.width())
      for (int64_t o = 0; o < outputs; o += outputs_of_tile(vectors))
        multiply<vectors>(v + e * element_v + i, depth, dm + e * element_dm + o, sizes.padded_out, tiles,
                          sums + e * sizes.element + (first + o) * depth + i, depth, outputs - o);
}

/// dw += G^T U G for an output, U being the sums of all groups.
template <class Rows, class Columns>
void add_transformed(const WinogradPlan& plan, const Sizes& sizes, const float* sums, int64_t o, float* dw) {
  constexpr int kTaps = Rows::kTaps * Columns::kTaps, kElements = Rows::kElements * Columns::kElements;
  for (int64_t kt = 0; kt < plan.frames; ++kt)
    for (int64_t i = 0; i < plan.in.c; i += kLanes) {
      const int64_t real = std::min<int64_t>(kLanes, plan.in.c - i);
      float* to = dw + (o * plan.frames + kt) * kTaps * plan.in.c + i;
      apply_both<Rows::kElements, Columns::kElements, Rows::kTaps, Columns::kTaps, Vector>(
          [](const auto& u, auto& g) { Rows::kernel_gradient(u, g); },
          [](const auto& u, auto& g) { Columns::kernel_gradient(u, g); },
          [&](int r, int c) {
            const float* from = sums + (r * Columns::kElements + c) * sizes.element + o * sizes.depth +
                                kt * sizes.padded_in + i;
            Vector u = load(from);
            for (int64_t group = 1; group < sizes.groups; ++group)
              u += load(from + group * kElements * sizes.element);
            return u;
          },
          [&](int r, int c, Vector g) {
            float* place = to + (r * Columns::kTaps + c) * plan.in.c;
            if (real == kLanes)
              store(place, load(place) + g);
            else
              store_some(place, load_some(place, real) + g, real);
          });
    }
}

class WinogradGradient : public ConvGradient {
 public:
  WinogradGradient(const ConvGeometry& geometry, DType dtype, int row_outputs, int column_outputs)
      : plan_(plan_tiles(ConvDirection::weights, geometry, row_outputs, column_outputs)),
        sizes_(plan_),
        dtype_(dtype) {}

  double cost() const override {
    const double tiles = static_cast<double>(plan_.tiles()), elements = sizes_.elements;
    const double outputs = static_cast<double>(round_up(plan_.out.c, outputs_of_tile(sizes_.inputs.vectors)));
    const double depth = static_cast<double>(sizes_.depth) / kLanes;
    const double blocks = tiles / static_cast<double>(sizes_.block) + static_cast<double>(sizes_.groups);
    const double sums = elements * static_cast<double>(sizes_.element) * sizeof(float);
    return machine_cost(
        {.products = tiles * elements * outputs * depth,
         .moved = tiles * elements * (depth * static_cast<double>(sizes_.shares) + outputs / kLanes),
         .sum_length = static_cast<double>(sizes_.block),
         .streamed = 3 * blocks * sums,
         .footprint = sums,
         .passes = 3 * static_cast<double>(sizes_.groups) * sums});
  }
  const char* algorithm() const override { return name_of_tiles(plan_); }

  size_t scratch_bytes(int workers) const override {
    return ScratchCutter::bytes_for({bytes_of<float>(plan_.in.c),
                                     bytes_of<float>(sizes_.elements * sizes_.element * sizes_.groups),
                                     bytes_of<float>(sizes_.block_floats() * workers)});
  }
  void run(const void* x, const void* dy, float* dw, Scratch memory, ThreadPool& pool) const override {
    ScratchCutter scratch(memory);
    with_type(dtype_, [&]<class T>() {
      T* zeros = reinterpret_cast<T*>(scratch.take_array<float>(plan_.in.c));
      std::fill_n(zeros, plan_.in.c, T{});
      float* sums = scratch.take_array<float>(sizes_.elements * sizes_.element * sizes_.groups);
      float* buffers = scratch.take_array<float>(sizes_.block_floats() * pool.threads());
      clear_for_padding(buffers, sizes_.block_floats() * pool.threads());
      with_filters(plan_, [&]<class Rows, class Columns>() {
        with_vectors(sizes_.inputs.vectors, [&]<int vectors>() {
          pool.for_each_tile(sizes_.groups * sizes_.shares, [&](int64_t task, int worker) {
            add_share<Rows, Columns, vectors>(task / sizes_.shares, task % sizes_.shares,
                                              static_cast<const T*>(x), static_cast<const T*>(zeros),
                                              static_cast<const T*>(dy), sums,
                                              buffers + sizes_.block_floats() * worker);
          });
        });
        pool.for_each_tile(
            plan_.out.c, [&](int64_t o, int) { add_transformed<Rows, Columns>(plan_, sizes_, sums, o, dw); });
      });
    });
  }

 private:
  template <class Rows, class Columns, int vectors, class T>
  void add_share(int64_t group, int64_t share, const T* x, const T* zeros, const T* dy, float* sums,
                 float* buffer) const {
    float* mine = sums + group * sizes_.elements * sizes_.element;
    const int64_t first = share * sizes_.share_outputs;
    const int64_t outputs = std::min(sizes_.share_outputs, plan_.out.c - first);
    for (int e = 0; e < sizes_.elements; ++e)
      std::fill_n(mine + e * sizes_.element + first * sizes_.depth, outputs * sizes_.depth, 0.0f);
    const int64_t begin = plan_.tiles() * group / sizes_.groups,
                  end = plan_.tiles() * (group + 1) / sizes_.groups;
    const int64_t blocks = div_up(end - begin, sizes_.block);
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t from = begin + (end - begin) * b / blocks, to = begin + (end - begin) * (b + 1) / blocks;
      add_block<Rows, Columns, vectors>(plan_, sizes_, from, to - from, first, outputs, x, zeros, dy, mine,
                                        buffer);
    }
  }

  WinogradPlan plan_;
  Sizes sizes_;
  DType dtype_;
};

}  // namespace

std::unique_ptr<ConvGradient> make_winograd_gradient(const ConvGeometry& geometry, DType dtype,
                                                     int row_outputs, int column_outputs) {
  if (!has_tiles(ConvDirection::weights, geometry, row_outputs, column_outputs)) return nullptr;
  return std::make_unique<WinogradGradient>(geometry, dtype, row_outputs, column_outputs);
}

}  // namespace laban::cpu::LABAN_ISA
