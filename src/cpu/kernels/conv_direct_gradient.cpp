// The gradient of convolution weights, accumulated straight into the master layout.
//
//   dw[o,k,i] += sum_p dy[p,o] * x[p*s - pad + k, i]
//
// In NDHWC both factors are contiguous in their channels, so for one tap k this is a matrix product that
// needs no transposition: a tile of outputs x inputs is kept in registers while places go by, each adding the
// outer product of a few dy and a few x values.
//
// The places fall into groups, by shape alone; each has its own sums, which are added up in the order of the
// groups.
#include <algorithm>

#include "cpu/kernels/conv_algorithms.h"
#include "cpu/kernels/vectors.h"
#include "cpu/kernels/wide_taps.h"
#include "cpu/thread_pool.h"

namespace laban::cpu::LABAN_ISA {
namespace {

constexpr int64_t kBlockPlaces = 256;

constexpr int outputs_of_tile(int input_vectors) { return kAccumulators / input_vectors; }

struct Range {
  int64_t begin = 0, end = 0;
  constexpr int64_t size() const { return end - begin; }
};
/// Part `part` of [0, count) cut into `parts`.
constexpr Range part_of(int64_t count, int64_t parts, int64_t part) {
  return {count * part / parts, count * (part + 1) / parts};
}

/// How the work is cut.
struct GradientPlan {
  ConvGeometry geometry;
  int64_t place = 0, line = 0;  // elements of x from a place to the next along w, along h
  int64_t groups = 1;           // of boxes, each with its own sums
  int64_t shares = 1;           // tasks that share a group's tiles of dw
  int input_vectors = 1;        // of a register tile
  int64_t input_tiles = 1, output_tiles = 1;
  std::array<int64_t, 4> block{1, 1, 1, 1};  // outputs (n, t, h, w) that are taken together
  int64_t panel_x = 0, panel_dy = 0;         // floats of the packed blocks, per worker

  int64_t units() const { return input_tiles * geometry.window.volume() * output_tiles; }
};

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
void pack_x(const GradientPlan& plan, const T* x, const Box& box, int64_t first, float* panel) {
  const Shape& shape = plan.geometry.x;
  for_each_row(box.x, [&](int64_t n, int64_t t, int64_t h) {
    const T* from = x + ((n * shape.t + t) * shape.h + h) * plan.line + box.x[3].begin * plan.place + first;
    for (int64_t w = 0; w < box.x[3].size(); ++w, from += plan.place, panel += width)
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
  Worker(const GradientPlan& plan, const T* x, const T* dy, float* dw, float* panels)
      : plan_(plan),
        g_(plan.geometry),
        x_(x),
        dy_(dy),
        dw_(dw),
        panel_x_(panels),
        panel_dy_(panels + plan.panel_x) {}

  /// Sets the sums of these units to zero.
  void clear(Range units) {
    const int64_t taps = g_.window.volume();
    for (int64_t unit = units.begin; unit < units.end; ++unit) {
      const Target to = target(unit % plan_.output_tiles, unit / plan_.output_tiles % taps,
                               unit / plan_.output_tiles / taps);
      for (int64_t o = 0; o < to.outputs; ++o) std::fill_n(to.first + o * to.stride, to.inputs, 0.0f);
    }
  }

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
        pack_x<kWidth>(plan_, x_, box, tile * kWidth, panel_x_);
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

  const GradientPlan& plan_;
  const ConvGeometry& g_;
  const T *x_, *dy_;
  float *dw_, *panel_x_, *panel_dy_;
};

int64_t weights_of(const ConvGeometry& g) { return g.y.c * g.window.volume() * g.x.c; }

int64_t boxes_of(const GradientPlan& plan) {
  int64_t boxes = 1;
  for (int axis = 0; axis < 4; ++axis) boxes *= div_up(places_of(plan.geometry.y)[axis], plan.block[axis]);
  return boxes;
}

constexpr int64_t kPlacesOfGroup = 1024, kMaxGroups = 16, kWantedTasks = 8;

GradientPlan plan_gradient(const ConvGeometry& geometry) {
  GradientPlan plan;
  plan.geometry = geometry;
  plan.place = geometry.x.c;
  plan.line = geometry.x.w * geometry.x.c;
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

  // A group has enough places for its sums to be worth clearing and adding up; groups and shares together
  // keep many threads busy. Each share packs its places anew, whole input tiles where there are enough.
  plan.groups =
      std::min(std::clamp<int64_t>(geometry.y.pixels() / kPlacesOfGroup, 1, kMaxGroups), boxes_of(plan));
  plan.shares = std::clamp<int64_t>(kWantedTasks / plan.groups, 1, plan.units());
  return plan;
}

class DirectGradient : public ConvGradient {
 public:
  DirectGradient(const ConvGeometry& geometry, DType dtype)
      : wide_(widened(geometry)), dtype_(dtype), plan_(plan_gradient(wide_ ? wide_.geometry : geometry)) {
    if (!wide_) return;
    plan_.place = wide_.place;
    plan_.line = wide_.line;
  }

  double cost() const override {
    const ConvGeometry& g = plan_.geometry;
    // Products with padding are not made.
    double places = static_cast<double>(g.y.pixels());
    for (int axis = 0; axis < 3; ++axis) places *= useful_fraction(axis);
    const double tile_products = static_cast<double>(plan_.units()) * outputs_of_tile(plan_.input_vectors) *
                                 static_cast<double>(plan_.input_vectors);
    const double packed = static_cast<double>(plan_.panel_x + plan_.panel_dy) / kLanes *
                          static_cast<double>(boxes_of(plan_) * std::min(plan_.shares, plan_.input_tiles));
    const double sums = 3 * static_cast<double>(weights_of(g) * (plan_.groups - 1)) / kLanes;
    return machine_cost({.products = places * tile_products, .moved = packed + sums, .sum_length = 256});
  }
  const char* algorithm() const override { return wide_ ? "direct, wide taps" : "direct"; }

  size_t scratch_bytes(int workers) const override {
    return ScratchCutter::bytes_for({wide_.copy_bytes(dtype_), bytes_of<float>(panels() * workers),
                                     bytes_of<float>(weights_of(plan_.geometry) * (plan_.groups - 1))});
  }
  void run(const void* x, const void* dy, float* dw, Scratch memory, ThreadPool& pool) const override {
    ScratchCutter scratch(memory);
    const int64_t weights = weights_of(plan_.geometry);
    with_type(dtype_, [&]<class T>() {
      T* copy = static_cast<T*>(scratch.take(wide_.copy_bytes(dtype_)));
      float* panels_of_workers = scratch.take_array<float>(panels() * pool.threads());
      float* partials = scratch.take_array<float>(weights * (plan_.groups - 1));
      const T* from = static_cast<const T*>(x);
      if (wide_) {
        write_padding(wide_, from, copy, pool);
        from = copy;
      }
      with_vectors(plan_.input_vectors, [&]<int input_vectors>() {
        pool.for_each_tile(plan_.groups * plan_.shares, [&](int64_t task, int worker) {
          const int64_t group = task / plan_.shares;
          float* sums = group == 0 ? dw : partials + weights * (group - 1);
          const Range units = part_of(plan_.units(), plan_.shares, task % plan_.shares);
          Worker<input_vectors, T> work(plan_, from, static_cast<const T*>(dy), sums,
                                        panels_of_workers + panels() * worker);
          if (group > 0) work.clear(units);
          work.run(part_of(boxes_of(plan_), plan_.groups, group), units);
        });
      });
      if (plan_.groups == 1) return;
      constexpr int64_t kPiece = 4096;
      pool.for_each_tile(div_up(weights, kPiece), [&](int64_t task, int) {
        const int64_t end = std::min(weights, (task + 1) * kPiece);
        for (int64_t group = 1; group < plan_.groups; ++group) {
          const float* partial = partials + weights * (group - 1);
          for (int64_t i = task * kPiece; i < end; ++i) dw[i] += partial[i];
        }
      });
    });
  }

 private:
  /// Of the products along an axis, how many are not with padding.
  double useful_fraction(int axis) const {
    const auto& [kernel, stride, padding] = plan_.geometry.window;
    const int64_t outputs = places_of(plan_.geometry.y)[axis + 1],
                  inputs = places_of(plan_.geometry.x)[axis + 1];
    int64_t seen = 0;
    for (int64_t o = 0; o < outputs; ++o)
      for (int64_t k = 0; k < kernel[axis]; ++k) {
        const int64_t at = o * stride[axis] - padding[axis] + k;
        seen += at >= 0 && at < inputs;
      }
    return static_cast<double>(seen) / static_cast<double>(outputs * kernel[axis]);
  }
  int64_t panels() const { return plan_.panel_x + plan_.panel_dy; }

  WideTaps wide_;
  DType dtype_;
  GradientPlan plan_;
};

}  // namespace

std::unique_ptr<ConvGradient> make_direct_gradient(const ConvGeometry& geometry, DType dtype) {
  return std::make_unique<DirectGradient>(geometry, dtype);
}

}  // namespace laban::cpu::LABAN_ISA
