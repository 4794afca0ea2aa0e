// Winograd's forward convolution and gradient of the input. Formulas: conv_winograd.h.
#include "cpu/kernels/conv_winograd.h"

#include <algorithm>

#include "cpu/kernels/conv_algorithms.h"
#include "cpu/kernels/conv_output.h"
#include "cpu/thread_pool.h"

namespace laban::cpu::LABAN_ISA {
namespace {

/// A block of tiles has its transformed inputs in half of a common L2 cache.
constexpr int64_t kBlockBytes = 384 * 1024;
constexpr int64_t kMaxBlock = 96;

/// F(4, 3) adds numbers of very different sizes after the products. Their sums are therefore made in short
/// blocks, which keeps the error where F(2, 3) and direct sums have it (docs/cpu-backend.md).
constexpr int64_t kShortSum = 32;

int64_t sum_length(const WinogradPlan& plan, int64_t depth) {
  return std::max(plan.row_outputs, plan.column_outputs) == 4 ? kShortSum : depth;
}

/// out[row][...] = sum_k in[row][k] * weights[k][...] for all rows of a register tile.
template <int vectors>
void multiply(const float* in, const float* weights, int64_t depth, int64_t length, float* out) {
  constexpr int rows = rows_of_tile(vectors);
  for (int64_t k = 0; k < depth; k += length) {
    RegisterTile<rows, vectors> sum;
    clear<rows, vectors>(sum);
    const float* row[rows];
    for (int r = 0; r < rows; ++r) row[r] = in + r * depth + k;
    add_products<rows, vectors>(sum, row, weights + k * vectors * kLanes, std::min(length, depth - k));
    put<rows, vectors>(sum, out, k > 0);
  }
}

/// Sizes, in floats, of what a worker keeps of a block.
struct BlockSizes {
  int elements;
  int64_t rows;   // tiles, up to a whole number of register tiles
  int64_t depth;  // frames and padded inputs: the length of the sums
  OutputTiles outputs;

  explicit BlockSizes(const WinogradPlan& plan) : outputs(OutputTiles::of(plan.out.c)) {
    const auto elements_of = [](int m) { return m == 1 ? 1 : m + 2; };
    elements = elements_of(plan.row_outputs) * elements_of(plan.column_outputs);
    depth = plan.frames * padded_channels(plan.in.c);
    const int64_t tile = rows_of_tile(outputs.vectors);
    const int64_t fitting = kBlockBytes / (elements * depth * static_cast<int64_t>(sizeof(float)));
    rows = std::clamp(fitting / tile * tile, tile, round_up(kMaxBlock, tile));
  }
  int64_t element_inputs() const { return apart(rows * depth); }
  int64_t element_products() const { return apart(rows * outputs.width()); }
  int64_t inputs() const { return elements * element_inputs(); }
  int64_t products() const { return elements * element_products(); }
};

/// The kernel's taps transformed. They lie as [output tile][element][frame, input][outputs of the tile];
/// inputs are padded to whole vectors, with zeros, so that frames and inputs together are one contiguous sum.
template <class Rows, class Columns, class T>
void transform_weights(const WinogradPlan& plan, bool mirrored, const T* weights, float* transformed,
                       ThreadPool& pool) {
  constexpr int kTaps = Rows::kTaps * Columns::kTaps, kElements = Rows::kElements * Columns::kElements;
  const BlockSizes sizes(plan);
  const int64_t width = sizes.outputs.width(), padded = padded_channels(plan.in.c), depth = sizes.depth;
  // The master layout is O,kT,kH,kW,I; mirrored, its I are our outputs.
  const int64_t stored_inputs = mirrored ? plan.out.c : plan.in.c;
  const auto transform = [&](int64_t tile, int64_t kt, int64_t i) {
    const int64_t stored_frame = mirrored ? plan.frames - 1 - kt : kt;
    float* to = transformed + (tile * kElements * depth + kt * padded + i) * width;
    for (int64_t o = 0; o < width; o += kLanes) {
      const int64_t first = tile * width + o;
      const int64_t real = i < plan.in.c ? std::clamp<int64_t>(plan.out.c - first, 0, kLanes) : 0;
      const auto tap_at = [&](int r, int c) __attribute__((always_inline)) {
        const int tap = r * Columns::kTaps + c;
        Vector g{};
        if (mirrored) {
          const T* from =
              weights + ((i * plan.frames + stored_frame) * kTaps + kTaps - 1 - tap) * stored_inputs + first;
          if (real > 0) g = real == kLanes ? load(from) : load_some(from, real);
        } else {
          for (int64_t lane = 0; lane < real; ++lane)
            g[lane] = widen(
                weights[(((first + lane) * plan.frames + stored_frame) * kTaps + tap) * stored_inputs + i]);
        }
        return g;
      };
      apply_both<Rows::kTaps, Columns::kTaps, Rows::kElements, Columns::kElements, Vector>(
          [](const auto& g, auto& u) { Rows::kernel(g, u); },
          [](const auto& g, auto& u) { Columns::kernel(g, u); }, tap_at,
          [&](int r, int c, Vector u) { store(to + (r * Columns::kElements + c) * depth * width + o, u); });
    }
  };
  // No cache holds the weights of the last layers, so a task reads whole stretches of them as they are stored:
  // forward all inputs of a tile of outputs, mirrored all outputs of some inputs.
  const int64_t tiles = sizes.outputs.count;
  constexpr int64_t kInputs = std::min(kLanes, 8);
  if (mirrored)
    pool.for_each_tile(plan.frames * padded / kInputs, [&](int64_t task, int) {
      const int64_t stretches = padded / kInputs, kt = task / stretches, first = task % stretches * kInputs;
      for (int64_t tile = 0; tile < tiles; ++tile)
        for (int64_t i = first; i < first + kInputs; ++i) transform(tile, kt, i);
    });
  else
    pool.for_each_tile(plan.frames * tiles, [&](int64_t task, int) {
      for (int64_t i = 0; i < padded; ++i) transform(task / plan.frames, task % plan.frames, i);
    });
}

/// Y = A^T M A of one tile, written to its places; a tile at the edge has fewer.
template <class Rows, class Columns, class T>
void write_tile(const WinogradPlan& plan, const WinogradTile& tile, const float* m, int64_t element_stride,
                int64_t first, int64_t width, const ConvOutput<T>& output) {
  const int64_t channels = std::min(width, plan.out.c - first);
  const int64_t rows = std::min<int64_t>(Rows::kOutputs, plan.out.h - tile.row);
  const int64_t columns = std::min<int64_t>(Columns::kOutputs, plan.out.w - tile.column);
  const int64_t place = ((tile.frame * plan.out.h + tile.row) * plan.out.w + tile.column) * plan.out.c;
  for (int64_t i = 0; i < channels; i += kLanes) {
    const int64_t real = std::min<int64_t>(kLanes, channels - i);
    apply_both<Rows::kElements, Columns::kElements, Rows::kOutputs, Columns::kOutputs, Vector>(
        [](const auto& p, auto& y) { Rows::output(p, y); },
        [](const auto& p, auto& y) { Columns::output(p, y); },
        [&](int r, int c) { return load(m + (r * Columns::kElements + c) * element_stride + i); },
        [&](int r, int c, Vector y) {
          if (r < rows && c < columns)
            output.write(y, place + (r * plan.out.w + c) * plan.out.c, first + i, real);
        });
  }
}

/// One block of tiles: transform the inputs; then, for each tile of outputs, the products and the way back.
template <class Rows, class Columns, int vectors, class T>
void run_block(const WinogradPlan& plan, const BlockSizes& sizes, int64_t first_tile, int64_t tiles,
               int64_t first_output_tile, int64_t end_output_tile, const T* in, const T* zeros,
               const float* transformed, const ConvOutput<T>& output, float* inputs, float* products) {
  constexpr int kRows = rows_of_tile(vectors), kElements = Rows::kElements * Columns::kElements;
  // inputs: [element][tile][frame, input]; products: [element][tile][output]
  const int64_t element_inputs = sizes.element_inputs(), element_products = sizes.element_products();
  const int64_t padded = padded_channels(plan.in.c), depth = sizes.depth, width = sizes.outputs.width();
  const int64_t rows = round_up(tiles, kRows), length = sum_length(plan, depth);
  for (int64_t b = 0; b < tiles; ++b)
    for (int64_t kt = 0; kt < plan.frames; ++kt) {
      const T* patch[Rows::kElements][Columns::kElements];
      float* to = inputs + b * depth + kt * padded;
      if (find_patch<Rows, Columns>(plan, tile_at(plan, first_tile + b), kt, in, zeros, patch))
        transform_input<Rows, Columns>(patch, plan.in.c, to, element_inputs);
      else
        for (int e = 0; e < kElements; ++e) std::fill_n(to + e * element_inputs, padded, 0.0f);
    }
  if (rows > tiles)
    for (int e = 0; e < kElements; ++e)
      clear_for_padding(inputs + e * element_inputs + tiles * depth, (rows - tiles) * depth);
  for (int64_t o = first_output_tile; o < end_output_tile; ++o) {
    for (int e = 0; e < kElements; ++e) {
      const float* weights = transformed + (o * kElements + e) * depth * width;
      for (int64_t b = 0; b < rows; b += kRows)
        multiply<vectors>(inputs + e * element_inputs + b * depth, weights, depth, length,
                          products + e * element_products + b * width);
    }
    for (int64_t b = 0; b < tiles; ++b)
      write_tile<Rows, Columns, T>(plan, tile_at(plan, first_tile + b), products + b * width,
                                   element_products, o * width, width, output);
  }
}

class WinogradTransform : public ConvTransform {
 public:
  WinogradTransform(ConvDirection direction, const ConvGeometry& geometry, DType dtype, int row_outputs,
                    int column_outputs)
      : plan_(plan_tiles(direction, geometry, row_outputs, column_outputs)),
        sizes_(plan_),
        mirrored_(direction == ConvDirection::data),
        dtype_(dtype),
        blocks_(div_up(plan_.tiles(), sizes_.rows)) {
    // With few blocks, each is computed by several: they share the outputs and all transform the inputs.
    groups_ = std::clamp<int64_t>(div_up(kWantedTasks, blocks_), 1, div_up(sizes_.outputs.count, 2));
  }

  double cost() const override {
    const double vectors = static_cast<double>(sizes_.outputs.count * sizes_.outputs.vectors);
    const double tiles = static_cast<double>(round_up(plan_.tiles(), rows_of_tile(sizes_.outputs.vectors)));
    const double depth = static_cast<double>(sizes_.depth), elements = sizes_.elements;
    return machine_cost(
        {.products = tiles * elements * depth * vectors,
         .moved = tiles * elements * (depth * static_cast<double>(groups_) / kLanes + vectors),
         .sum_length = static_cast<double>(sum_length(plan_, sizes_.depth)),
         .streamed = static_cast<double>(packed_bytes()) * static_cast<double>(blocks_),
         .footprint = static_cast<double>(packed_bytes()),
         .passes = 4 * static_cast<double>(packed_bytes())});  // they are made once a step
  }
  const char* algorithm() const override { return name_of_tiles(plan_); }

  size_t packed_bytes() const override {
    return bytes_of<float>(sizes_.outputs.count * sizes_.outputs.width() * sizes_.elements * sizes_.depth);
  }
  void pack(const void* weights, DType dtype, void* packed, ThreadPool& pool) const override {
    with_type(dtype, [&]<class T>() {
      with_filters(plan_, [&]<class Rows, class Columns>() {
        transform_weights<Rows, Columns>(plan_, mirrored_, static_cast<const T*>(weights),
                                         static_cast<float*>(packed), pool);
      });
    });
  }
  PackingKey packing_key() const override {
    return {plan_.row_outputs, plan_.column_outputs, mirrored_, plan_.in.c, plan_.out.c, plan_.frames};
  }

  size_t scratch_bytes(int workers) const override {
    return ScratchCutter::bytes_for(
        {bytes_of<float>(plan_.in.c), bytes_of<float>((sizes_.inputs() + sizes_.products()) * workers)});
  }
  void run(const Run& run, Scratch memory, ThreadPool& pool) const override {
    ScratchCutter scratch(memory);
    with_type(dtype_, [&]<class T>() {
      const ConvOutput<T> output(run);
      T* zeros = reinterpret_cast<T*>(scratch.take_array<float>(plan_.in.c));
      std::fill_n(zeros, plan_.in.c, T{});
      const int64_t per_worker = sizes_.inputs() + sizes_.products();
      float* blocks = scratch.take_array<float>(per_worker * pool.threads());
      with_filters(plan_, [&]<class Rows, class Columns>() {
        with_vectors(sizes_.outputs.vectors, [&]<int vectors>() {
          pool.for_each_tile(blocks_ * groups_, [&](int64_t task, int worker) {
            const int64_t block = task / groups_, group = task % groups_;
            const int64_t tiles = plan_.tiles(), outputs = sizes_.outputs.count;
            const int64_t first = tiles * block / blocks_, end = tiles * (block + 1) / blocks_;
            float* inputs = blocks + per_worker * worker;
            run_block<Rows, Columns, vectors>(
                plan_, sizes_, first, end - first, outputs * group / groups_, outputs * (group + 1) / groups_,
                static_cast<const T*>(run.in), static_cast<const T*>(zeros),
                static_cast<const float*>(run.packed), output, inputs, inputs + sizes_.inputs());
          });
        });
      });
    });
  }

 private:
  static constexpr int64_t kWantedTasks = 32;

  WinogradPlan plan_;
  BlockSizes sizes_;
  bool mirrored_;
  DType dtype_;
  int64_t blocks_, groups_ = 1;
};

}  // namespace

bool has_tiles(ConvDirection direction, const ConvGeometry& g, int row_outputs, int column_outputs) {
  const auto& [kernel, stride, padding] = g.window;
  const auto fits = [&](int axis, int outputs) {
    return kernel[axis] == (outputs == 1 ? 1 : 3) && stride[axis] == 1 && padding[axis] < kernel[axis];
  };
  const bool mirrors = direction != ConvDirection::data || (stride[0] == 1 && padding[0] < kernel[0]);
  return mirrors && fits(1, row_outputs) && fits(2, column_outputs);
}

WinogradPlan plan_tiles(ConvDirection direction, const ConvGeometry& g, int row_outputs, int column_outputs) {
  WinogradPlan plan;
  const bool mirrored = direction == ConvDirection::data;
  plan.in = mirrored ? g.y : g.x;
  plan.out = mirrored ? g.x : g.y;
  plan.frames = g.window.kernel[0];
  plan.frame_stride = g.window.stride[0];
  for (size_t axis = 0; axis < 3; ++axis)
    plan.padding[axis] =
        mirrored ? g.window.kernel[axis] - 1 - g.window.padding[axis] : g.window.padding[axis];
  plan.row_outputs = row_outputs;
  plan.column_outputs = column_outputs;
  plan.tile_rows = div_up(plan.out.h, row_outputs);
  plan.tile_columns = div_up(plan.out.w, column_outputs);
  return plan;
}

const char* name_of_tiles(const WinogradPlan& plan) {
  if (plan.column_outputs == 1) return plan.row_outputs == 4 ? "Winograd F(4, 3)" : "Winograd F(2, 3)";
  if (plan.column_outputs == 4) return "Winograd F(4x4, 3x3)";
  return plan.row_outputs == 4 ? "Winograd F(4x2, 3x3)" : "Winograd F(2x2, 3x3)";
}

std::unique_ptr<ConvTransform> make_winograd(ConvDirection direction, const ConvGeometry& geometry,
                                             DType dtype, int row_outputs, int column_outputs) {
  if (!has_tiles(direction, geometry, row_outputs, column_outputs)) return nullptr;
  return std::make_unique<WinogradTransform>(direction, geometry, dtype, row_outputs, column_outputs);
}

}  // namespace laban::cpu::LABAN_ISA
