// One launch over the whole flat parameter arena, for every optimizer.
//
// The arena is cut into chunks at multiples of kChunk, so that packs are aligned wherever a segment begins;
// a block takes chunk after chunk of the segments that the launch knows. What changes from step to step is
// read in device memory: a recorded graph needs no host value.
#pragma once

#include "cuda/kernels/rows.h"
#include "math/optimizer.h"

namespace laban::cuda {

constexpr int kOptimizerPack = 4;
constexpr int kPacksOfStep = 2;  // of a thread in a chunk
constexpr int kChunk = kThreads * kOptimizerPack * kPacksOfStep;

/// A part of the arena's segments, small enough to travel with the launch.
struct SegmentTable {
  static constexpr int kMost = 64;
  struct Row {
    int64_t begin, end;
    int first_chunk;  // its number among the launch's chunks
    float weight_decay;
    double lr_scale;
  };
  Row rows[kMost] = {};
  int count = 0, chunks = 0;

  static int chunks_of(const ParameterSegment& s) {
    return static_cast<int>((s.end - 1) / kChunk - s.begin / kChunk + 1);
  }
  void add(const ParameterSegment& s) {
    rows[count++] = {s.begin, s.end, chunks, static_cast<float>(s.weight_decay), s.lr_scale};
    chunks += chunks_of(s);
  }
};

/// OptimizerCommon as a kernel sees it.
struct OptimizerMemory {
  float* weights;
  const float* grads;
  BFloat16* working;           // may be null
  const double* control;       // learning rate, step
  const double* norm_squared;  // may be null
  double max_norm;

  explicit OptimizerMemory(const OptimizerCommon& op)
      : weights(op.weights.as<float>()),
        grads(op.grads.as<float>()),
        working(op.working.as_or_null<BFloat16>()),
        control(op.control.as<double>()),
        norm_squared(op.norm_squared.as_or_null<double>()),
        max_norm(op.max_norm) {}

  __device__ double learning_rate() const { return control[0]; }
  __device__ double step() const { return control[1]; }
  /// False where the gradients are not finite: the step must then leave everything as it is.
  __device__ bool may_update() const { return !norm_squared || is_finite(*norm_squared); }
  __device__ float gradient_scale() const {
    if (max_norm <= 0 || !norm_squared) return 1;
    return static_cast<float>(clip_scale(*norm_squared, max_norm));
  }
};

/// n weights with their gradients and the optimizer's state, in registers.
template <int states, int n>
struct Weights {
  Floats<n> w, g, state[states];
};

/// Updates the chunks of this block. rule_of(row) gives a segment's formula; rule(w, g, states...) updates
/// the states and returns the new weight. `state` are the optimizer's flat tensors.
template <int states, class RuleOf>
__device__ void update_chunks(const SegmentTable& table, const OptimizerMemory& memory,
                              float* const (&state)[states], RuleOf&& rule_of) {
  constexpr int n = kOptimizerPack;
  const float scale = memory.gradient_scale();
  int segment = 0;
  for (int chunk = static_cast<int>(blockIdx.x); chunk < table.chunks; chunk += static_cast<int>(gridDim.x)) {
    while (segment + 1 < table.count && chunk >= table.rows[segment + 1].first_chunk) ++segment;
    const SegmentTable::Row& row = table.rows[segment];
    const auto rule = rule_of(row);
    const auto update = [&]<int m>(Weights<states, m>& all) {
      for (int v = 0; v < m; ++v) {
        const float g = all.g[v] * scale;
        if constexpr (states == 1)
          all.w[v] = rule(all.w[v], g, all.state[0][v]);
        else
          all.w[v] = rule(all.w[v], g, all.state[0][v], all.state[1][v]);
      }
    };
    const auto read = [&]<int m>(Weights<states, m>& all, int64_t at) {
      all.w = load<m>(memory.weights + at);
      all.g = load<m>(memory.grads + at);
      for (int s = 0; s < states; ++s) all.state[s] = load<m>(state[s] + at);
    };
    const auto write = [&]<int m>(const Weights<states, m>& all, int64_t at) {
      store(memory.weights + at, all.w);
      for (int s = 0; s < states; ++s) store(state[s] + at, all.state[s]);
      if (memory.working) store(memory.working + at, all.w);
    };

    const int64_t begin = (row.begin / kChunk + chunk - row.first_chunk) * kChunk;
    const auto pack_at = [&](int k) { return begin + (k * kThreads + static_cast<int>(threadIdx.x)) * n; };
    if (begin >= row.begin && begin + kChunk <= row.end) {
      Weights<states, n> all[kPacksOfStep];
      for (int k = 0; k < kPacksOfStep; ++k) read(all[k], pack_at(k));
      for (int k = 0; k < kPacksOfStep; ++k) {
        update(all[k]);
        write(all[k], pack_at(k));
      }
    } else {
      for (int k = 0; k < kPacksOfStep; ++k)
        for (int64_t i = pack_at(k); i < pack_at(k) + n; ++i) {
          if (i < row.begin || i >= row.end) continue;
          Weights<states, 1> one;
          read(one, i);
          update(one);
          write(one, i);
        }
    }
  }
}

/// Launches `kernel(table, memory, arguments...)` for all segments, in as few launches as they fit into. Host
/// function.
template <class Kernel, class... Arguments>
void launch_update(std::string_view name, Kernel kernel, const OptimizerCommon& op, Stream stream,
                   const Arguments&... arguments) {
  require(aligned(op.weights, op.grads, op.working),
          "CUDA kernels: a parameter arena is not aligned to 16 bytes");
  const OptimizerMemory memory(op);
  SegmentTable table;
  const auto go = [&] {
    const int64_t blocks = std::min<int64_t>(table.chunks, kManyBlocks);
    launch({.kernel = name,
            .shape = op.weights.shape,
            .grid = {narrow_extent(blocks), 1, 1},
            .block = {kThreads, 1, 1},
            .stream = stream},
           kernel, table, memory, arguments...);
    table = {};
  };
  for (const ParameterSegment& segment : op.segments) {
    if (segment.begin >= segment.end) continue;
    if (table.count == SegmentTable::kMost) go();
    table.add(segment);
  }
  go();
}

}  // namespace laban::cuda
