// Convolutions as sums over taps of shifted matrix products: any kernel, stride and padding, forward and for
// the gradient of the input.
//
//   out[q, o] = sum over taps k and channels i of in[q * step + offset_k, i] * w[k, i, o]
//
// An implicit matrix product: a row of the left factor is a place of `in` as it lies in memory, whichever tap
// looks at it, and nothing is unfolded. Forward, q counts the places of y, step is the stride and offset_k = k -
// padding. The gradient of the input under a stride s falls into s phases along each axis, one for each
// remainder of a place of dx: the places f + q*s see only the taps with (f + padding - k) divisible by s, at
// q + (f + padding - k) / s of dy. Each phase is such a sum with step 1, and no product with the zeros between
// the strides is ever made.
//
// A chunk of places is taken through all output tiles. A table of pointers, made once per chunk, says where
// each tap finds each place (zeros, in the padding), and the register tile walks along those pointers while the
// weights of one output tile, packed in the order in which they are wanted, stream by.
//
// Few input channels (stems) would make many short sums: there the taps along w, which lie next to each other
// in memory, count as channels of one wide tap, over a copy of the input with its padding written out.
#include <algorithm>

#include "cpu/kernels/conv_algorithms.h"
#include "cpu/kernels/conv_output.h"
#include "cpu/kernels/register_tile.h"
#include "cpu/kernels/wide_taps.h"
#include "cpu/thread_pool.h"

namespace laban::cpu::LABAN_ISA {
namespace {

/// Places of a chunk, at most: enough to use a weight often, few enough that what they look at stays in L2.
constexpr int64_t kChunk = 96;
/// Pointers of a chunk's table, at most.
constexpr int64_t kMaxTable = 8192;
/// Products in one sum before it goes to memory, about: the weights of as many lie in half an L1 cache, and
/// sums of sums err less than one long sum.
constexpr int64_t kSumLength = 256;

/// A tap of a phase: where it finds its place of `in`, relative to q * step, and which of the stored taps it is.
struct Tap {
  std::array<int64_t, 3> offset;
  int64_t stored;
};
/// Places of `out` that see the same taps: first + q * step for all q below count, along (t, h, w).
struct Phase {
  std::array<int64_t, 3> first, count;
  std::vector<Tap> taps;
  int64_t weights = 0;  // where the phase's weights begin, in taps
  int64_t chunk = 1, chunks = 0, first_chunk = 0;
};

std::array<int64_t, 3> extents(const Shape& shape) { return {shape.t, shape.h, shape.w}; }

struct DirectPlan {
  Shape in, out;
  std::array<int64_t, 3> in_step, out_step;
  int64_t in_place = 0, in_line = 0;  // elements from a place to the next along w, along h
  std::vector<Phase> phases;
  int64_t taps = 0, chunks = 0, largest_table = 0, largest_chunk = 0;
  OutputTiles outputs;
};

DirectPlan plan_direct(ConvDirection direction, const ConvGeometry& g) {
  DirectPlan plan;
  const bool forward = direction == ConvDirection::forward;
  plan.in = forward ? g.x : g.y;
  plan.out = forward ? g.y : g.x;
  plan.in_place = plan.in.c;
  plan.in_line = plan.in.w * plan.in.c;
  plan.outputs = OutputTiles::of(plan.out.c);
  const auto& [kernel, stride, padding] = g.window;
  plan.in_step = forward ? stride : std::array<int64_t, 3>{1, 1, 1};
  plan.out_step = forward ? std::array<int64_t, 3>{1, 1, 1} : stride;
  const auto places = extents(plan.out);
  const int64_t tile_rows = rows_of_tile(plan.outputs.vectors);
  std::array<int64_t, 3> f{};
  for (f[0] = 0; f[0] < plan.out_step[0]; ++f[0])
    for (f[1] = 0; f[1] < plan.out_step[1]; ++f[1])
      for (f[2] = 0; f[2] < plan.out_step[2]; ++f[2]) {
        Phase phase{.first = f, .count = {}, .taps = {}};
        for (size_t axis = 0; axis < 3; ++axis)
          phase.count[axis] = div_up(std::max<int64_t>(0, places[axis] - f[axis]), plan.out_step[axis]);
        std::array<int64_t, 3> k{};
        for (k[0] = 0; k[0] < kernel[0]; ++k[0])
          for (k[1] = 0; k[1] < kernel[1]; ++k[1])
            for (k[2] = 0; k[2] < kernel[2]; ++k[2]) {
              Tap tap{.offset = {}, .stored = (k[0] * kernel[1] + k[1]) * kernel[2] + k[2]};
              bool seen = true;
              for (size_t axis = 0; axis < 3; ++axis) {
                const int64_t distance =
                    forward ? k[axis] - padding[axis] : f[axis] + padding[axis] - k[axis];
                seen = seen && (forward || distance % stride[axis] == 0);
                tap.offset[axis] = forward ? distance : distance / stride[axis];
              }
              if (seen) phase.taps.push_back(tap);
            }
        phase.weights = plan.taps;
        plan.taps += static_cast<int64_t>(phase.taps.size());
        const int64_t all = plan.out.n * phase.count[0] * phase.count[1] * phase.count[2];
        const int64_t table = kMaxTable / std::max<int64_t>(1, static_cast<int64_t>(phase.taps.size()));
        // Enough chunks for many threads where there are places enough, whole register tiles in each.
        const int64_t shared = std::min({kChunk, table, div_up(all, 16)});
        phase.chunk = std::max(tile_rows, shared / tile_rows * tile_rows);
        phase.chunks = div_up(all, phase.chunk);
        phase.first_chunk = plan.chunks;
        plan.chunks += phase.chunks;
        plan.largest_chunk = std::max(plan.largest_chunk, phase.chunk);
        plan.largest_table = std::max(
            plan.largest_table, phase.chunk * std::max<int64_t>(1, static_cast<int64_t>(phase.taps.size())));
        plan.phases.push_back(std::move(phase));
      }
  return plan;
}

/// What a worker has for a chunk.
template <class T>
struct Chunk {
  int64_t places = 0, rows = 0;  // rows: whole register tiles
  const T** table = nullptr;     // [tap][row]
  bool* useful = nullptr;        // [tap][register tile]: whether it sees anything but padding
  int64_t* out = nullptr;        // [row]: element of `out` where its channels begin
  float* sums = nullptr;         // [row][width]
};

/// Fills in the chunk's tables.
template <class T>
void find_places(const DirectPlan& plan, const Phase& phase, int64_t index, int64_t tile_rows, const T* in,
                 const T* zeros, Chunk<T>& chunk) {
  const auto inside = extents(plan.in);
  const int64_t all = plan.out.n * phase.count[0] * phase.count[1] * phase.count[2];
  const int64_t first = index * phase.chunk;
  chunk.places = std::min(phase.chunk, all - first);
  chunk.rows = round_up(chunk.places, tile_rows);
  const int64_t taps = static_cast<int64_t>(phase.taps.size());
  std::fill_n(chunk.useful, taps * (chunk.rows / tile_rows), false);
  std::array<int64_t, 3> q;
  int64_t rest = first;
  q[2] = rest % phase.count[2], rest /= phase.count[2];
  q[1] = rest % phase.count[1], rest /= phase.count[1];
  q[0] = rest % phase.count[0];
  int64_t n = rest / phase.count[0];
  const int64_t line = plan.in_line, frame = plan.in.h * line, clip = plan.in.t * frame;
  for (int64_t row = 0; row < chunk.rows; ++row) {
    if (row >= chunk.places) {
      for (int64_t tap = 0; tap < taps; ++tap) chunk.table[tap * chunk.rows + row] = zeros;
      continue;
    }
    std::array<int64_t, 3> at, to;
    for (size_t axis = 0; axis < 3; ++axis) {
      at[axis] = q[axis] * plan.in_step[axis];
      to[axis] = phase.first[axis] + q[axis] * plan.out_step[axis];
    }
    chunk.out[row] = plan.out.index(n, to[0], to[1], to[2], 0);
    for (int64_t tap = 0; tap < taps; ++tap) {
      const auto& offset = phase.taps[static_cast<size_t>(tap)].offset;
      const int64_t t = at[0] + offset[0], h = at[1] + offset[1], w = at[2] + offset[2];
      const bool seen = t >= 0 && t < inside[0] && h >= 0 && h < inside[1] && w >= 0 && w < inside[2];
      chunk.table[tap * chunk.rows + row] =
          seen ? in + n * clip + t * frame + h * line + w * plan.in_place : zeros;
      chunk.useful[tap * (chunk.rows / tile_rows) + row / tile_rows] |= seen;
    }
    if (++q[2] < phase.count[2]) continue;
    q[2] = 0;
    if (++q[1] < phase.count[1]) continue;
    q[1] = 0;
    if (++q[0] < phase.count[0]) continue;
    q[0] = 0, ++n;
  }
}

/// sum += the products of a run of channels.
template <int rows, int vectors>
[[gnu::always_inline]] inline void add_channels(RegisterTile<rows, vectors>& sum, const float* const* from,
                                                int64_t first, const float* weights, int64_t channels) {
  const float* row[rows];
  for (int r = 0; r < rows; ++r) row[r] = from[r] + first;
  add_products<rows, vectors>(sum, row, weights, channels);
}
/// bf16: two channels are read as one word, of which either half, shifted up, is a float.
template <int rows, int vectors>
[[gnu::always_inline]] inline void add_channels(RegisterTile<rows, vectors>& sum, const BFloat16* const* from,
                                                int64_t first, const float* weights, int64_t channels) {
  const BFloat16* row[rows];
  for (int r = 0; r < rows; ++r) row[r] = from[r] + first;
  constexpr int64_t width = vectors * kLanes;
  int64_t k = 0;
  for (; k + 2 <= channels; k += 2, weights += 2 * width) {
    Vector w[2][vectors];
    for (int j = 0; j < 2; ++j)
      for (int v = 0; v < vectors; ++v) w[j][v] = load(weights + j * width + v * kLanes);
    for (int r = 0; r < rows; ++r) {
      uint32_t pair;
      std::memcpy(&pair, row[r] + k, sizeof pair);
      const float low = std::bit_cast<float>(pair << 16), high = std::bit_cast<float>(pair & 0xffff0000u);
      for (int v = 0; v < vectors; ++v) sum[r][v] += low * w[0][v];
      for (int v = 0; v < vectors; ++v) sum[r][v] += high * w[1][v];
    }
  }
  if (k == channels) return;
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < vectors; ++v) sum[r][v] += widen(row[r][k]) * load(weights + v * kLanes);
}

#if defined(__AVX512BF16__)
constexpr bool kHasNativeBf16 = true;
/// The same with the processor's own products of pairs: weights lie in pairs, too, and the last of an odd number
/// of channels is paired with zero.
template <int rows, int vectors>
[[gnu::always_inline]] inline void add_pairs(RegisterTile<rows, vectors>& sum, const BFloat16* const* from,
                                             int64_t first, const float* weights, int64_t channels) {
  const BFloat16* row[rows];
  for (int r = 0; r < rows; ++r) row[r] = from[r] + first;
  const auto add = [&](int64_t k, auto&& pair_of) __attribute__((always_inline)) {
    __m512bh w[vectors];
    for (int v = 0; v < vectors; ++v)
      std::memcpy(&w[v], weights + (k / 2 * vectors + v) * kLanes, sizeof w[v]);
    for (int r = 0; r < rows; ++r) {
      const __m512bh pair = std::bit_cast<__m512bh>(_mm512_set1_epi32(static_cast<int>(pair_of(row[r] + k))));
      for (int v = 0; v < vectors; ++v)
        sum[r][v] = std::bit_cast<Vector>(_mm512_dpbf16_ps(std::bit_cast<__m512>(sum[r][v]), pair, w[v]));
    }
  };
  int64_t k = 0;
  for (; k + 2 <= channels; k += 2)
    add(k, [](const BFloat16* at) {
      uint32_t pair;
      std::memcpy(&pair, at, sizeof pair);
      return pair;
    });
  if (k < channels)
    add(k, [](const BFloat16* at) {
      uint16_t one;
      std::memcpy(&one, at, sizeof one);
      return uint32_t{one};
    });
}
#else
constexpr bool kHasNativeBf16 = false;
template <int rows, int vectors>
void add_pairs(RegisterTile<rows, vectors>&, const BFloat16* const*, int64_t, const float*, int64_t) {}
#endif

/// The sums of one register tile over a run of taps; `weights` are those of the first of them. Adds to
/// what is there, or replaces it.
template <int vectors, bool native, class T>
void multiply_taps(const T* const* table, int64_t table_stride, const bool* useful, int64_t useful_stride,
                   int64_t taps, int64_t first_channel, int64_t channels, const float* weights,
                   int64_t tap_weights, float* sums, bool add) {
  constexpr int rows = rows_of_tile(vectors);
  RegisterTile<rows, vectors> sum;
  clear<rows, vectors>(sum);
  for (int64_t tap = 0; tap < taps;
       ++tap, table += table_stride, useful += useful_stride, weights += tap_weights)
    if (!*useful)
      continue;
    else if constexpr (native)
      add_pairs<rows, vectors>(sum, table, first_channel, weights, channels);
    else
      add_channels<rows, vectors>(sum, table, first_channel, weights, channels);
  put<rows, vectors>(sum, sums, add);
}

template <class T>
void write_places(const DirectPlan& plan, const Chunk<T>& chunk, int64_t first, const ConvOutput<T>& output) {
  const int64_t width = plan.outputs.width(), channels = std::min(width, plan.out.c - first);
  for (int64_t row = 0; row < chunk.places; ++row) {
    const float* from = chunk.sums + row * width;
    for (int64_t i = 0; i < channels; i += kLanes)
      output.write(load(from + i), chunk.out[row], first + i, std::min<int64_t>(kLanes, channels - i));
  }
}

/// All outputs of a chunk.
template <int vectors, bool native, class T>
void run_chunk(const DirectPlan& plan, const Phase& phase, const Chunk<T>& chunk, int64_t first_output_tile,
               int64_t end_output_tile, const float* packed, const ConvOutput<T>& output) {
  constexpr int rows = rows_of_tile(vectors);
  const int64_t taps = static_cast<int64_t>(phase.taps.size()), channels = plan.in.c;
  const int64_t width = plan.outputs.width(), tiles = chunk.rows / rows;
  constexpr int64_t channels_of_weight = native ? 2 : 1;  // that lie in one vector of weights
  const int64_t tap_weights = div_up(channels, channels_of_weight) * width;
  // A sum goes over several taps of few channels, or over some channels of one tap.
  const int64_t taps_of_sum = std::max<int64_t>(1, kSumLength / channels);
  const int64_t channels_of_sum =
      round_up(div_up(channels, std::max<int64_t>(1, (channels + kSumLength / 2) / kSumLength)), 2);
  for (int64_t o = first_output_tile; o < end_output_tile; ++o) {
    const float* weights = packed + (o * plan.taps + phase.weights) * tap_weights;
    if (taps == 0) std::fill_n(chunk.sums, chunk.rows * width, 0.0f);
    bool add = false;
    for (int64_t tap = 0; tap < taps; tap += taps_of_sum)
      for (int64_t i = 0; i < channels; i += channels_of_sum, add = true)
        for (int64_t tile = 0; tile < tiles; ++tile)
          multiply_taps<vectors, native, T>(
              chunk.table + tap * chunk.rows + tile * rows, chunk.rows, chunk.useful + tap * tiles + tile,
              tiles, std::min(taps_of_sum, taps - tap), i, std::min(channels_of_sum, channels - i),
              weights + tap * tap_weights + i / channels_of_weight * width, tap_weights,
              chunk.sums + tile * rows * width, add);
    write_places(plan, chunk, o * width, output);
  }
}

/// The products that are not with padding, as a fraction, as far as register tiles can tell: a tile of places
/// along w has something to do for nearly every tap, and passes over the taps that lie outside along t and h.
double useful_fraction(const DirectPlan& plan, const Phase& phase) {
  double useful = 0;
  for (const Tap& tap : phase.taps) {
    double fraction = 1;
    for (const size_t axis : {0, 1}) {
      int64_t seen = 0;
      for (int64_t q = 0; q < phase.count[axis]; ++q) {
        const int64_t at = q * plan.in_step[axis] + tap.offset[axis];
        seen += at >= 0 && at < extents(plan.in)[axis];
      }
      fraction *= static_cast<double>(seen) / static_cast<double>(std::max<int64_t>(1, phase.count[axis]));
    }
    useful += fraction;
  }
  return phase.taps.empty() ? 0 : useful / static_cast<double>(phase.taps.size());
}

class DirectTransform : public ConvTransform {
 public:
  DirectTransform(ConvDirection direction, const ConvGeometry& geometry, DType dtype, bool native)
      : wide_(direction == ConvDirection::forward ? widened(geometry) : WideTaps{}),
        geometry_(wide_ ? wide_.geometry : geometry),
        mirrored_(direction == ConvDirection::data),
        dtype_(dtype),
        native_(native),
        plan_(plan_direct(direction, geometry_)) {
    if (wide_) {
      plan_.in_place = wide_.place;
      plan_.in_line = wide_.line;
    }
    // With few chunks, each is computed by several: they share the outputs.
    groups_ = std::clamp<int64_t>(div_up(kWantedTasks, plan_.chunks), 1, plan_.outputs.count);
  }

  double cost() const override {
    double products = 0, moved = 0, weights = 0;
    const double vectors = static_cast<double>(plan_.outputs.count * plan_.outputs.vectors);
    const double inputs = static_cast<double>(inputs_of_tap());
    for (const Phase& phase : plan_.phases) {
      const double rows = static_cast<double>(phase.chunks * phase.chunk);
      const double taps = static_cast<double>(phase.taps.size());
      const double useful = taps * useful_fraction(plan_, phase);
      products += rows * useful * inputs * vectors;
      moved += rows * (2 * vectors + taps * static_cast<double>(groups_));
      weights += static_cast<double>(phase.chunks) * useful * inputs * vectors * kLanes * sizeof(float);
    }
    const double length =
        std::min<double>(kSumLength, static_cast<double>(plan_.in.c * geometry_.window.volume()));
    const double packed = static_cast<double>(packed_bytes());
    return machine_cost({.products = products,
                         .moved = moved,
                         .sum_length = length,
                         .streamed = weights,
                         .footprint = packed,
                         .passes = 4 * packed});
  }
  const char* algorithm() const override {
    return native_ ? "direct, bf16" : wide_ ? "direct, wide taps" : "direct";
  }

  size_t packed_bytes() const override {
    return bytes_of<float>(plan_.outputs.count * plan_.outputs.width() * plan_.taps * inputs_of_tap());
  }
  /// [output tile][phase, tap][input][outputs of the tile], zeros where the tile has no output; natively
  /// [output tile][phase, tap][pair of inputs][outputs of the tile][2].
  ///
  /// No cache holds the weights of the last layers, so a task reads whole stretches of them as they are stored:
  /// O,taps,I. Forward it packs one tile of outputs; for the gradient of the input, whose inputs are the stored
  /// outputs, some inputs for all tiles.
  void pack(const void* weights, DType dtype, void* packed, ThreadPool& pool) const override {
    with_type(dtype, [&]<class T>() {
      const T* from = static_cast<const T*>(weights);
      float* to = static_cast<float*>(packed);
      const int64_t pieces = div_up(plan_.in.c, kPackedInputs), tiles = plan_.outputs.count;
      pool.for_each_tile(mirrored_ ? pieces : tiles, [&](int64_t task, int) {
        for (const Phase& phase : plan_.phases)
          for (size_t tap = 0; tap < phase.taps.size(); ++tap) {
            const int64_t place = phase.weights + static_cast<int64_t>(tap), stored = phase.taps[tap].stored;
            for (int64_t other = 0; other < (mirrored_ ? tiles : pieces); ++other)
              pack_piece(from, stored, mirrored_ ? task : other, place, mirrored_ ? other : task, to);
          }
      });
    });
  }
  PackingKey packing_key() const override {
    PackingKey key{native_ ? -2 : -1, mirrored_, plan_.in.c, plan_.out.c};
    const auto& [kernel, stride, padding] = geometry_.window;
    for (size_t axis = 0; axis < 3; ++axis) {
      key[4 + axis] = kernel[axis];
      key[7 + axis] = mirrored_ ? stride[axis] : 0;  // forward, all taps are one phase's
      key[10 + axis] = mirrored_ ? padding[axis] : 0;
    }
    return key;
  }

  size_t scratch_bytes(int workers) const override {
    return ScratchCutter::bytes_for({bytes_of<float>(plan_.in.c), wide_.copy_bytes(dtype_),
                                     memory_of_worker() * static_cast<size_t>(workers)});
  }
  void run(const Run& run, Scratch memory, ThreadPool& pool) const override {
    ScratchCutter scratch(memory);
    with_type(dtype_, [&]<class T>() {
      T* zeros = reinterpret_cast<T*>(scratch.take_array<float>(plan_.in.c));
      std::fill_n(zeros, plan_.in.c, T{});
      T* copy = static_cast<T*>(scratch.take(wide_.copy_bytes(dtype_)));
      std::byte* memories =
          static_cast<std::byte*>(scratch.take(memory_of_worker() * static_cast<size_t>(pool.threads())));
      const T* in = static_cast<const T*>(run.in);
      if (wide_) {
        write_padding(wide_, in, copy, pool);
        in = copy;
      }
      with_vectors(plan_.outputs.vectors, [&]<int vectors>() {
        pool.for_each_tile(plan_.chunks * groups_, [&](int64_t task, int worker) {
          std::byte* memory_of_task = memories + memory_of_worker() * static_cast<size_t>(worker);
          if constexpr (kHasNativeBf16 && std::is_same_v<T, BFloat16>)
            if (native_) return run_task<vectors, true, T>(task, in, zeros, run, memory_of_task);
          run_task<vectors, false, T>(task, in, zeros, run, memory_of_task);
        });
      });
    });
  }

 private:
  static constexpr int64_t kWantedTasks = 32;

  static constexpr int64_t kPackedInputs = 16;  // a cache line of f32; even

  /// A piece of the inputs of one tap, for one tile of outputs. `place`: where the tap's weights go.
  template <class T>
  void pack_piece(const T* weights, int64_t tap, int64_t piece_index, int64_t place, int64_t tile,
                  float* packed) const {
    const int64_t width = plan_.outputs.width(), first = tile * width, taps = geometry_.window.volume();
    const int64_t outputs = std::min(width, plan_.out.c - first);
    const int64_t first_input = piece_index * kPackedInputs;
    const int64_t inputs = std::min(kPackedInputs, plan_.in.c - first_input);
    float* to = packed + (tile * plan_.taps + place) * inputs_of_tap() * width;
    alignas(64) float piece[kPackedInputs * kMaxTileVectors * kLanes] = {};  // [input][output]
    // The master layout is O,taps,I; for the gradient of the input its O are our inputs.
    if (mirrored_)
      for (int64_t i = 0; i < inputs; ++i) {
        const T* from = weights + ((first_input + i) * taps + tap) * plan_.out.c + first;
        for (int64_t o = 0; o < outputs; ++o) piece[i * width + o] = widen(from[o]);
      }
    else
      for (int64_t o = 0; o < outputs; ++o) {
        const T* from = weights + ((first + o) * taps + tap) * plan_.in.c + first_input;
        for (int64_t i = 0; i < inputs; ++i) piece[i * width + o] = widen(from[i]);
      }
    if (!native_) {
      std::copy_n(piece, inputs * width, to + first_input * width);
      return;
    }
    alignas(64) BFloat16 rounded[kPackedInputs * kMaxTileVectors * kLanes];
    for (int64_t i = 0; i < kPackedInputs * width; i += kLanes) store(rounded + i, load(piece + i));
    BFloat16* pairs = reinterpret_cast<BFloat16*>(to + first_input / 2 * width);
    for (int64_t i = 0; i < inputs; i += 2)
      for (int64_t o = 0; o < width; ++o) {
        *pairs++ = rounded[i * width + o];
        *pairs++ = rounded[(i + 1) * width + o];  // zeros behind an odd number of inputs
      }
  }

  std::array<size_t, 4> pieces_of_worker() const {
    return {bytes_of<float>(plan_.largest_chunk * plan_.outputs.width()),
            bytes_of<void*>(plan_.largest_table), bytes_of<int64_t>(plan_.largest_chunk),
            bytes_of<bool>(plan_.largest_table)};
  }
  size_t memory_of_worker() const {
    const auto pieces = pieces_of_worker();
    return ScratchCutter::bytes_for({pieces[0], pieces[1], pieces[2], pieces[3]});
  }

  /// Vectors of weights of a tap, for each vector of outputs.
  int64_t inputs_of_tap() const { return native_ ? div_up(plan_.in.c, 2) : plan_.in.c; }

  template <int vectors, bool native, class T>
  void run_task(int64_t task, const T* in, const T* zeros, const Run& run, std::byte* memory) const {
    const int64_t chunk_index = task / groups_, group = task % groups_;
    const Phase* phase = plan_.phases.data();
    while (chunk_index >= phase->first_chunk + phase->chunks) ++phase;
    const auto pieces = pieces_of_worker();
    ScratchCutter scratch(Scratch{memory, memory_of_worker()});
    Chunk<T> chunk;
    chunk.sums = static_cast<float*>(scratch.take(pieces[0]));
    chunk.table = static_cast<const T**>(scratch.take(pieces[1]));
    chunk.out = static_cast<int64_t*>(scratch.take(pieces[2]));
    chunk.useful = static_cast<bool*>(scratch.take(pieces[3]));
    find_places(plan_, *phase, chunk_index - phase->first_chunk, rows_of_tile(vectors), in, zeros, chunk);
    run_chunk<vectors, native, T>(plan_, *phase, chunk, plan_.outputs.count * group / groups_,
                                  plan_.outputs.count * (group + 1) / groups_,
                                  static_cast<const float*>(run.packed), ConvOutput<T>(run));
  }

  WideTaps wide_;
  ConvGeometry geometry_;
  bool mirrored_;
  DType dtype_;
  bool native_;  // bf16, by the processor's own instructions
  DirectPlan plan_;
  int64_t groups_ = 1;
};

}  // namespace

std::unique_ptr<ConvTransform> make_direct(ConvDirection direction, const ConvGeometry& geometry,
                                           DType dtype) {
  return std::make_unique<DirectTransform>(direction, geometry, dtype, false);
}

std::unique_ptr<ConvTransform> make_native_direct(ConvDirection direction, const ConvGeometry& geometry) {
  if (!kHasNativeBf16) return nullptr;
  return std::make_unique<DirectTransform>(direction, geometry, DType::bf16, true);
}

}  // namespace laban::cpu::LABAN_ISA
