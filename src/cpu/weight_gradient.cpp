#include "cpu/weight_gradient.h"

#include "cpu/parallel.h"
#include "cpu/vectors.h"
#include "math/window.h"

namespace laban::cpu {
namespace {

constexpr int64_t kBlockPlaces = 256;

constexpr int outputs_of_tile(int input_vectors) { return kAccumulators / input_vectors; }

/// A run of outputs along w: where it begins in the packed x, and in an output tile of the packed dy.
struct Run {
  const float* x;
  int64_t dy;
};

/// Where a register tile goes: rows of outputs, `stride` floats apart, of which the tile may cover the last
/// in part only.
struct Target {
  float* first;
  int64_t stride, outputs, inputs;
};

/// target[o][i] += sum over runs and places of dy[o] * x[i]. Panels: x has input_vectors vectors a place,
/// `step` floats apart; dy has all outputs of the tile a place.
template <int input_vectors>
void multiply(const Run* runs, int64_t run_count, int64_t places, int64_t step, const float* dy_tile,
              const Target& target) {
  constexpr int outputs = outputs_of_tile(input_vectors), inputs = input_vectors * kLanes;
  Vector sum[outputs][input_vectors];
  for (int o = 0; o < outputs; ++o)
    for (int v = 0; v < input_vectors; ++v) sum[o][v] = Vector{};
  for (int64_t r = 0; r < run_count; ++r) {
    const float *x = runs[r].x, *dy = dy_tile + runs[r].dy;
    for (int64_t p = 0; p < places; ++p, x += step, dy += outputs) {
      Vector in[input_vectors];
      for (int v = 0; v < input_vectors; ++v) in[v] = load(x + v * kLanes);
      for (int o = 0; o < outputs; ++o)
        for (int v = 0; v < input_vectors; ++v) sum[o][v] += dy[o] * in[v];
    }
  }
  if (target.outputs == outputs && target.inputs == inputs) {
    for (int o = 0; o < outputs; ++o)
      for (int v = 0; v < input_vectors; ++v) {
        float* place = target.first + o * target.stride + v * kLanes;
        store(place, load(place) + sum[o][v]);
      }
  } else {
    alignas(64) float tile[outputs * inputs];
    for (int o = 0; o < outputs; ++o)
      for (int v = 0; v < input_vectors; ++v) store(tile + o * inputs + v * kLanes, sum[o][v]);
    for (int64_t o = 0; o < target.outputs; ++o)
      for (int64_t i = 0; i < target.inputs; ++i) target.first[o * target.stride + i] += tile[o * inputs + i];
  }
}

/// A box of outputs, and the box of inputs that it looks at.
struct Box {
  std::array<Range, 4> y, x;  // n, t, h, w
};

std::array<int64_t, 4> places_of(const Shape& shape) { return {shape.n, shape.t, shape.h, shape.w}; }

int64_t places_in(const std::array<Range, 4>& box) {
  return box[0].size() * box[1].size() * box[2].size() * box[3].size();
}
/// The position of a place (n, t, h, w) among those of the box.
int64_t place_in(const std::array<Range, 4>& box, const std::array<int64_t, 4>& at) {
  int64_t place = 0;
  for (int axis = 0; axis < 4; ++axis) place = place * box[axis].size() + at[axis] - box[axis].begin;
  return place;
}

/// panel[0..width) = from[0..real), widened, and zeros. Nearly always all of it, with a constant length.
template <int width, class T>
void copy_padded(const T* from, int64_t real, float* panel) {
  if (real >= width) {
#pragma omp simd
    for (int i = 0; i < width; ++i) panel[i] = widen(from[i]);
  } else {
    for (int64_t i = 0; i < width; ++i) panel[i] = i < real ? widen(from[i]) : 0.0f;
  }
}

/// Calls body(first place) for each row along w of a box of places.
template <class Body>
void for_each_row(const std::array<Range, 4>& box, Body&& body) {
  for (int64_t n = box[0].begin; n < box[0].end; ++n)
    for (int64_t t = box[1].begin; t < box[1].end; ++t)
      for (int64_t h = box[2].begin; h < box[2].end; ++h) body(n, t, h);
}

/// Input channels from `first` on: [place][width].
template <int width, class T>
void pack_x(const T* x, const Shape& shape, const Box& box, int64_t first, float* panel) {
  for_each_row(box.x, [&](int64_t n, int64_t t, int64_t h) {
    const T* from = x + shape.index(n, t, h, box.x[3].begin, first);
    for (int64_t w = 0; w < box.x[3].size(); ++w, from += shape.c, panel += width)
      copy_padded<width>(from, shape.c - first, panel);
  });
}

/// Outputs of the tiles: [tile][place][outputs].
template <int outputs, class T>
void pack_dy(const T* dy, const Shape& shape, const Box& box, Range tiles, int64_t places, float* panel) {
  for_each_row(box.y, [&](int64_t n, int64_t t, int64_t h) {
    const T* from = dy + shape.index(n, t, h, box.y[3].begin, 0);
    for (int64_t w = 0; w < box.y[3].size(); ++w, from += shape.c, panel += outputs)
      for (int64_t tile = tiles.begin; tile < tiles.end; ++tile)
        copy_padded<outputs>(from + tile * outputs, shape.c - tile * outputs,
                             panel + (tile - tiles.begin) * places * outputs);
  });
}

/// What one thread works on: its boxes, its tiles of dw, its panels.
template <int input_vectors, class T>
class Worker {
  static constexpr int kOutputs = outputs_of_tile(input_vectors), kWidth = input_vectors * kLanes;

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
      pack_dy<kOutputs>(dy_, g_.y, box, output_tiles, places_in(box.y), panel_dy_);
      for (int64_t tile = input_tiles.begin; tile < input_tiles.end; ++tile) {
        pack_x<kWidth>(x_, g_.x, box, tile * kWidth, panel_x_);
        const Range mine{std::max(units.begin, tile * per_input_tile),
                         std::min(units.end, (tile + 1) * per_input_tile)};
        multiply_box(box, tile, {mine.begin - tile * per_input_tile, mine.end - tile * per_input_tile},
                     output_tiles);
      }
    }
  }

 private:
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
    const int64_t reach = inputs - 1 + before;
    const int64_t end = std::min(box.y[axis].end, reach < 0 ? 0 : reach / stride + 1);
    return {begin, std::max(begin, end)};
  }

  /// units: (tap, output tile) of one input tile.
  void multiply_box(const Box& box, int64_t input_tile, Range units, Range output_tiles) {
    const auto& [kernel, stride, padding] = g_.window;
    const int64_t places = places_in(box.y);
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
        for_each_row({box.y[0], t, h, w}, [&](int64_t n, int64_t to, int64_t ho) {
          const int64_t at_x =
              place_in(box.x, {n, to * stride[0] - padding[0] + kt, ho * stride[1] - padding[1] + kh,
                               w.begin * stride[2] - padding[2] + kw});
          runs[count++] = {panel_x_ + at_x * kWidth, place_in(box.y, {n, to, ho, w.begin}) * kOutputs};
        });
      for (; unit < tap_end; ++unit) {
        if (count == 0) continue;
        const int64_t output_tile = unit % plan_.output_tiles;
        const float* dy_tile = panel_dy_ + (output_tile - output_tiles.begin) * places * kOutputs;
        multiply<input_vectors>(runs, count, w.size(), kWidth * stride[2], dy_tile,
                                target(output_tile, tap, input_tile));
      }
    }
  }

  Target target(int64_t output_tile, int64_t tap, int64_t input_tile) const {
    const int64_t first_out = output_tile * kOutputs, first_in = input_tile * kWidth;
    const int64_t stride = g_.window.volume() * g_.x.c;
    return {dw_ + first_out * stride + tap * g_.x.c + first_in, stride,
            std::min<int64_t>(kOutputs, g_.y.c - first_out), std::min<int64_t>(kWidth, g_.x.c - first_in)};
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
  const ChannelTiles tiles = ChannelTiles::of(geometry.x.c);
  plan.input_tiles = tiles.count;
  plan.input_vectors = tiles.vectors;
  const int outputs = outputs_of_tile(plan.input_vectors);
  plan.output_tiles = div_up(geometry.y.c, outputs);

  // The block grows to about kBlockPlaces places: first along the axes that the kernel extends over, where
  // neighboring outputs share inputs; then along w, h, t, n. Each axis is cut evenly.
  const auto extents = places_of(geometry.y);
  const auto kernel_extends = [&](int axis) { return axis > 0 && geometry.window.kernel[axis - 1] > 1; };
  int64_t left = kBlockPlaces;
  for (const bool shared : {true, false})
    for (int axis = 3; axis >= 0; --axis) {
      if (kernel_extends(axis) != shared) continue;
      const int64_t pieces = div_up(extents[axis], left);
      plan.block[axis] = div_up(extents[axis], pieces);
      left = std::max<int64_t>(1, left / plan.block[axis]);
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
  return ScratchCutter::bytes_for({bytes_of<float>((panel_x + panel_dy) * threads),
                                   bytes_of<float>(weights_of(geometry) * (pixel_groups - 1))});
}

void add_weight_gradient(const WeightGradientPlan& plan, const Tensor& x, const Tensor& dy, float* dw,
                         Scratch memory) {
  ScratchCutter scratch(memory);
  const int64_t weights = weights_of(plan.geometry), panel = plan.panel_x + plan.panel_dy;
  const int64_t units = plan.input_tiles * plan.geometry.window.volume() * plan.output_tiles;
  const int per_group = plan.threads / plan.pixel_groups;
  float* panels = scratch.take_array<float>(panel * plan.threads);
  float* partials = scratch.take_array<float>(weights * (plan.pixel_groups - 1));

  for_each_range(plan.threads, weights * (plan.pixel_groups - 1),
                 [&](Range range) { std::fill(partials + range.begin, partials + range.end, 0.0f); });
  const auto work = [&]<int input_vectors, class T>() {
    const T *x_data = x.as<T>(), *dy_data = dy.as<T>();
    for_each_part(plan.threads, [&](int part) {
      const int group = part / per_group, member = part % per_group;
      float* mine = group == 0 ? dw : partials + weights * (group - 1);
      const Range my_units = part_of(units, per_group, member);
      if (my_units.size() == 0) return;
      Worker<input_vectors, T>(plan, x_data, dy_data, mine, panels + panel * part)
          .run(part_of(boxes_of(plan), plan.pixel_groups, group), my_units);
    });
  };
  with_type(x.dtype, [&]<class T>() {
    with_vectors(plan.input_vectors,
                 [&]<int input_vectors>() { work.template operator()<input_vectors, T>(); });
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
