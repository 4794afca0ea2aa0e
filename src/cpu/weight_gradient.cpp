#include "cpu/weight_gradient.h"

#include <cstring>

#include "cpu/elements.h"
#include "cpu/parallel.h"
#include "math/window.h"

namespace laban::cpu {
namespace {

// A register tile has kAccumulators vectors: outputs x input vectors. The rest of the registers hold the
// operands. More would spill, fewer would leave the multiply-add units waiting for each other.
#if defined(__AVX512F__)
constexpr int kLanes = 16, kAccumulators = 24;
#elif defined(__AVX__)
constexpr int kLanes = 8, kAccumulators = 12;
#else
constexpr int kLanes = 4, kAccumulators = 12;
#endif
constexpr int kMaxInputVectors = 4;
constexpr int64_t kBlockPlaces = 128;  // a panel of x (128 places x 64 channels) then stays in L1
using Vector = float __attribute__((vector_size(kLanes * sizeof(float))));

constexpr int outputs_of_tile(int input_vectors) { return kAccumulators / input_vectors; }

Vector load(const float* from) {
  Vector v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

/// A run of outputs along w, as offsets into the packed panels.
struct Run {
  const float *x, *dy;
};

/// tile[o][i] += sum over runs and places of dy[o] * x[i]. Panels: x has input_vectors vectors a place,
/// `step` floats apart; dy has all outputs of the tile a place.
template <int input_vectors>
void multiply(const Run* runs, int64_t run_count, int64_t places, int64_t step, float* tile) {
  constexpr int outputs = outputs_of_tile(input_vectors);
  Vector sum[outputs][input_vectors] = {};
  for (int64_t r = 0; r < run_count; ++r) {
    const float *x = runs[r].x, *dy = runs[r].dy;
    for (int64_t p = 0; p < places; ++p, x += step, dy += outputs) {
      Vector in[input_vectors];
      for (int v = 0; v < input_vectors; ++v) in[v] = load(x + v * kLanes);
      for (int o = 0; o < outputs; ++o)
        for (int v = 0; v < input_vectors; ++v) sum[o][v] += dy[o] * in[v];
    }
  }
  std::memcpy(tile, sum, sizeof sum);
}

using Multiply = void (*)(const Run*, int64_t, int64_t, int64_t, float*);
constexpr Multiply kMultiply[kMaxInputVectors] = {multiply<1>, multiply<2>, multiply<3>, multiply<4>};

/// A box of outputs, and the box of inputs that it looks at.
struct Box {
  std::array<Range, 4> y, x;  // n, t, h, w
};

constexpr int64_t round_up(int64_t value, int64_t to) { return (value + to - 1) / to * to; }
constexpr int64_t div_up(int64_t value, int64_t by) { return (value + by - 1) / by; }

std::array<int64_t, 4> places_of(const Shape& shape) { return {shape.n, shape.t, shape.h, shape.w}; }

/// Input channels [first, first + width) of the box, widened to float, zero beyond the last channel.
template <class T>
void pack_x(const T* x, const Shape& shape, const Box& box, int64_t first, int64_t width, float* panel) {
  const int64_t real = std::min(width, shape.c - first);
  const auto& [n, t, h, w] = box.x;
  for (int64_t in = n.begin; in < n.end; ++in)
    for (int64_t it = t.begin; it < t.end; ++it)
      for (int64_t ih = h.begin; ih < h.end; ++ih) {
        const T* from = x + shape.index(in, it, ih, w.begin, first);
        for (int64_t iw = w.begin; iw < w.end; ++iw, from += shape.c, panel += width) {
#pragma omp simd
          for (int64_t c = 0; c < real; ++c) panel[c] = widen(from[c]);
          for (int64_t c = real; c < width; ++c) panel[c] = 0;
        }
      }
}

/// Output tiles [tiles) of the box: [tile][place][output of the tile], zero beyond the last channel.
template <class T>
void pack_dy(const T* dy, const Shape& shape, const Box& box, int outputs, Range tiles, float* panel) {
  const auto& [n, t, h, w] = box.y;
  const int64_t rows = n.size() * t.size() * h.size();
  for (int64_t tile = tiles.begin; tile < tiles.end; ++tile) {
    const int64_t first = tile * outputs, real = std::min<int64_t>(outputs, shape.c - first);
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t in = n.begin + row / (t.size() * h.size()), it = t.begin + row / h.size() % t.size();
      const T* from = dy + shape.index(in, it, h.begin + row % h.size(), w.begin, first);
      for (int64_t iw = w.begin; iw < w.end; ++iw, from += shape.c, panel += outputs) {
        for (int64_t o = 0; o < real; ++o) panel[o] = widen(from[o]);
        for (int64_t o = real; o < outputs; ++o) panel[o] = 0;
      }
    }
  }
}

/// What one thread works on: its boxes, its tiles of dw, its panels.
template <class T>
class Worker {
 public:
  Worker(const WeightGradientPlan& plan, const T* x, const T* dy, float* dw, float* panels)
      : plan_(plan),
        g_(plan.geometry),
        x_(x),
        dy_(dy),
        dw_(dw),
        panel_x_(panels),
        panel_dy_(panels + plan.panel_x) {}

  /// units: (input tile, tap, output tile) in this order; boxes: of the outputs, n outermost.
  void run(Range boxes, Range units) {
    const int64_t per_input_tile = g_.window.volume() * plan_.output_tiles;
    const Range input_tiles{units.begin / per_input_tile, (units.end - 1) / per_input_tile + 1};
    // Output tiles wrap around within a thread's units; only a thread with few of them gets by with some.
    const int64_t first = units.begin % plan_.output_tiles;
    const bool few = first + units.size() <= plan_.output_tiles;
    const Range output_tiles = few ? Range{first, first + units.size()} : Range{0, plan_.output_tiles};
    for (int64_t b = boxes.begin; b < boxes.end; ++b) {
      const Box box = box_at(b);
      pack_dy(dy_, g_.y, box, outputs(), output_tiles, panel_dy_);
      for (int64_t tile = input_tiles.begin; tile < input_tiles.end; ++tile) {
        pack_x(x_, g_.x, box, tile * width(), width(), panel_x_);
        const Range mine{std::max(units.begin, tile * per_input_tile),
                         std::min(units.end, (tile + 1) * per_input_tile)};
        multiply_box(box, tile, {mine.begin - tile * per_input_tile, mine.end - tile * per_input_tile},
                     output_tiles);
      }
    }
  }

 private:
  int outputs() const { return outputs_of_tile(plan_.input_vectors); }
  int64_t width() const { return plan_.input_vectors * kLanes; }

  Box box_at(int64_t index) const {
    const auto outputs = places_of(g_.y), inputs = places_of(g_.x);
    Box box;
    for (int axis = 3; axis >= 0; --axis) {
      const int64_t boxes = div_up(outputs[axis], plan_.block[axis]), i = index % boxes;
      index /= boxes;
      Range& y = box.y[axis] = {i * plan_.block[axis], std::min(outputs[axis], (i + 1) * plan_.block[axis])};
      if (axis == 0) {
        box.x[axis] = y;
        continue;
      }
      const int64_t stride = g_.window.stride[axis - 1], padding = g_.window.padding[axis - 1];
      const int64_t last = (y.end - 1) * stride - padding + g_.window.kernel[axis - 1];
      box.x[axis].begin = std::clamp<int64_t>(y.begin * stride - padding, 0, inputs[axis]);
      box.x[axis].end = std::clamp<int64_t>(last, box.x[axis].begin, inputs[axis]);
    }
    return box;
  }

  /// The outputs of the box along `axis` whose input through `tap` exists.
  Range outputs_seeing(const Box& box, int axis, int64_t tap) const {
    const int64_t stride = g_.window.stride[axis - 1], before = g_.window.padding[axis - 1] - tap;
    const int64_t inputs = places_of(g_.x)[axis];
    const int64_t begin = std::max(box.y[axis].begin, before > 0 ? div_up(before, stride) : 0);
    const int64_t room = inputs - 1 + before;
    const int64_t end = std::min(box.y[axis].end, room < 0 ? 0 : room / stride + 1);
    return {begin, std::max(begin, end)};
  }

  /// units: (tap, output tile) of one input tile.
  void multiply_box(const Box& box, int64_t input_tile, Range units, Range output_tiles) {
    const auto& [kernel, stride, padding] = g_.window;
    const int64_t places = box.y[0].size() * box.y[1].size() * box.y[2].size() * box.y[3].size();
    const auto x_place = [&](int64_t n, int64_t t, int64_t h, int64_t w) {
      return (((n - box.x[0].begin) * box.x[1].size() + t - box.x[1].begin) * box.x[2].size() + h -
              box.x[2].begin) *
                 box.x[3].size() +
             w - box.x[3].begin;
    };
    const auto y_place = [&](int64_t n, int64_t t, int64_t h, int64_t w) {
      return (((n - box.y[0].begin) * box.y[1].size() + t - box.y[1].begin) * box.y[2].size() + h -
              box.y[2].begin) *
                 box.y[3].size() +
             w - box.y[3].begin;
    };
    for (int64_t unit = units.begin; unit < units.end;) {
      const int64_t tap = unit / plan_.output_tiles;
      const int64_t tap_end = std::min(units.end, (tap + 1) * plan_.output_tiles);
      const int64_t kt = tap / (kernel[1] * kernel[2]), kh = tap / kernel[2] % kernel[1],
                    kw = tap % kernel[2];
      const Range t = outputs_seeing(box, 1, kt), h = outputs_seeing(box, 2, kh),
                  w = outputs_seeing(box, 3, kw);
      Run runs[kBlockPlaces];
      int64_t count = 0;
      if (w.size() > 0)
        for (int64_t n = box.y[0].begin; n < box.y[0].end; ++n)
          for (int64_t to = t.begin; to < t.end; ++to)
            for (int64_t ho = h.begin; ho < h.end; ++ho)
              runs[count++] = {panel_x_ + width() * x_place(n, to * stride[0] - padding[0] + kt,
                                                            ho * stride[1] - padding[1] + kh,
                                                            w.begin * stride[2] - padding[2] + kw),
                               panel_dy_ + outputs() * y_place(n, to, ho, w.begin)};
      for (; unit < tap_end; ++unit) {
        if (count == 0) continue;
        const int64_t output_tile = unit % plan_.output_tiles;
        Run shifted[kBlockPlaces];
        const int64_t panel = (output_tile - output_tiles.begin) * places * outputs();
        for (int64_t r = 0; r < count; ++r) shifted[r] = {runs[r].x, runs[r].dy + panel};
        alignas(64) float tile[kAccumulators * kLanes];
        kMultiply[plan_.input_vectors - 1](shifted, count, w.size(), width() * stride[2], tile);
        add_tile(tile, output_tile, tap, input_tile);
      }
    }
  }

  void add_tile(const float* tile, int64_t output_tile, int64_t tap, int64_t input_tile) {
    const int64_t taps = g_.window.volume(), first_in = input_tile * width();
    const int64_t ins = std::min(width(), g_.x.c - first_in);
    const int64_t end = std::min((output_tile + 1) * outputs(), g_.y.c);
    for (int64_t o = output_tile * outputs(); o < end; ++o, tile += width()) {
      float* to = dw_ + (o * taps + tap) * g_.x.c + first_in;
#pragma omp simd
      for (int64_t i = 0; i < ins; ++i) to[i] += tile[i];
    }
  }

  const WeightGradientPlan& plan_;
  const ConvGeometry& g_;
  const T *x_, *dy_;
  float *dw_, *panel_x_, *panel_dy_;
};

int64_t weights_of(const ConvGeometry& g) { return g.y.c * g.window.volume() * g.x.c; }

int64_t boxes_of(const WeightGradientPlan& plan) {
  int64_t boxes = 1;
  for (int axis = 0; axis < 4; ++axis) boxes *= div_up(places_of(plan.geometry.y)[axis], plan.block[axis]);
  return boxes;
}

/// How many groups of threads share the places. Each thread reads its places' x and dy; each group beyond the
/// first writes a dw of its own, which is read again to add it up. The least traffic per thread wins.
int choose_pixel_groups(const WeightGradientPlan& plan) {
  const ConvGeometry& g = plan.geometry;
  int best = 1;
  int64_t best_traffic = INT64_MAX;
  for (int groups = 1; groups <= plan.threads && groups <= boxes_of(plan); ++groups) {
    if (plan.threads % groups != 0) continue;
    const int64_t reads = g.y.pixels() / groups * (g.x.c + g.y.c);
    const int64_t partials = 3 * weights_of(g) * (groups - 1) / plan.threads;
    if (reads + partials >= best_traffic) continue;
    best_traffic = reads + partials;
    best = groups;
  }
  return best;
}

}  // namespace

bool suits_weight_gradient(const ConvGeometry& geometry) { return geometry.x.c >= kLanes; }

WeightGradientPlan plan_weight_gradient(const ConvGeometry& geometry, int threads) {
  WeightGradientPlan plan;
  plan.geometry = geometry;
  plan.threads = threads;
  const int64_t vectors = div_up(geometry.x.c, kLanes);
  plan.input_tiles = div_up(vectors, kMaxInputVectors);
  plan.input_vectors = static_cast<int>(div_up(vectors, plan.input_tiles));
  const int outputs = outputs_of_tile(plan.input_vectors);
  plan.output_tiles = div_up(geometry.y.c, outputs);

  // The block grows along w, then h, t, n, to about kBlockPlaces places, cut evenly.
  const auto extents = places_of(geometry.y);
  int64_t room = kBlockPlaces;
  for (int axis = 3; axis >= 0; --axis) {
    const int64_t pieces = div_up(extents[axis], room);
    plan.block[axis] = div_up(extents[axis], pieces);
    room = pieces > 1 ? 1 : room / plan.block[axis];
  }
  int64_t inputs = plan.block[0], places = plan.block[0];
  for (int axis = 1; axis < 4; ++axis) {
    inputs *= (plan.block[axis] - 1) * geometry.window.stride[axis - 1] + geometry.window.kernel[axis - 1];
    places *= plan.block[axis];
  }
  plan.panel_x = inputs * plan.input_vectors * kLanes;
  plan.panel_dy = round_up(places * plan.output_tiles * outputs, kLanes);
  plan.pixel_groups = choose_pixel_groups(plan);
  return plan;
}

size_t WeightGradientPlan::scratch_bytes() const {
  return ScratchCutter::bytes_for<float>((panel_x + panel_dy) * threads) +
         ScratchCutter::bytes_for<float>(weights_of(geometry) * (pixel_groups - 1));
}

void add_weight_gradient(const WeightGradientPlan& plan, const Tensor& x, const Tensor& dy, float* dw,
                         Scratch memory) {
  ScratchCutter scratch(memory);
  const int64_t weights = weights_of(plan.geometry), panel = plan.panel_x + plan.panel_dy;
  const int64_t units = plan.input_tiles * plan.geometry.window.volume() * plan.output_tiles;
  const int per_group = plan.threads / plan.pixel_groups;
  float* panels = scratch.take<float>(panel * plan.threads);
  float* partials = scratch.take<float>(weights * (plan.pixel_groups - 1));

  for_each_range(plan.threads, weights * (plan.pixel_groups - 1),
                 [&](Range range) { std::fill(partials + range.begin, partials + range.end, 0.0f); });
  with_type(x.dtype, [&]<class T>() {
    const T *x_data = x.as<T>(), *dy_data = dy.as<T>();
    for_each_part(plan.threads, [&](int part) {
      const int group = part / per_group, member = part % per_group;
      float* mine = group == 0 ? dw : partials + weights * (group - 1);
      const Range my_units = part_of(units, per_group, member);
      if (my_units.size() == 0) return;
      Worker<T>(plan, x_data, dy_data, mine, panels + panel * part)
          .run(part_of(boxes_of(plan), plan.pixel_groups, group), my_units);
    });
  });
  if (plan.pixel_groups == 1) return;
  for_each_range(plan.threads, weights, [&](Range range) {
    for (int group = 1; group < plan.pixel_groups; ++group) {
      const float* partial = partials + weights * (group - 1);
#pragma omp simd
      for (int64_t i = range.begin; i < range.end; ++i) dw[i] += partial[i];
    }
  });
}

}  // namespace laban::cpu
