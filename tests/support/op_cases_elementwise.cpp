// Elementwise ops, pools, dropout, the parameter-free shortcut.
#include <limits>

#include "support/op_cases.h"

namespace laban::test::cases {
namespace {

// {n, c, t, h, w}: single elements, counts that no vector width divides, a channel count of every model.
const Shape kShapes[] = {
    {1, 1, 1, 1, 1}, {2, 3, 3, 5, 7}, {1, 45, 2, 3, 5}, {3, 64, 2, 4, 3}, {1, 230, 1, 3, 3}};

void add_elementwise(std::vector<OpCase>& table, const Shape& shape) {
  const std::string name = text(shape);
  table.push_back({"relu.forward: " + name, [=](OpRig& rig) {
                     const Tensor x = rig.in("x", shape, rig.compute(), normal());
                     rig.run(ReluForward{x, rig.out("y", shape, rig.compute())});
                   }});
  table.push_back({"relu.forward: " + name + ", in place", [=](OpRig& rig) {
                     const Tensor x = rig.inout("x, then y", shape, rig.compute(), normal());
                     rig.run(ReluForward{x, x});
                   }});
  table.push_back({"relu.backward: " + name, [=](OpRig& rig) {
                     const Tensor y = rig.in("y", shape, rig.compute(), relu_of_normal());
                     const Tensor dy = rig.in("dy", shape, rig.compute(), normal());
                     rig.run(ReluBackward{y, dy, rig.out("dx", shape, rig.compute())});
                   }});
  table.push_back({"relu.backward: " + name + ", in place", [=](OpRig& rig) {
                     const Tensor y = rig.in("y", shape, rig.compute(), relu_of_normal());
                     const Tensor dy = rig.inout("dy, then dx", shape, rig.compute(), normal());
                     rig.run(ReluBackward{y, dy, dy});
                   }});
  table.push_back({"accumulate: " + name, [=](OpRig& rig) {
                     const Tensor from = rig.in("from", shape, rig.compute(), normal());
                     rig.run(Accumulate{from, rig.inout("into", shape, rig.compute(), normal())});
                   }});
  table.push_back({"set_zero: " + name, [=](OpRig& rig) {
                     rig.run(SetZero{rig.out("x", shape, rig.compute())});
                     rig.run(SetZero{rig.out("x (bytes)", shape, DType::u8)});
                   }});
  const auto cast = [&](DType from, DType to) {
    table.push_back({text("cast: ", name, " ", from, " to ", to), [=](OpRig& rig) {
                       const Tensor x = rig.in("from", shape, from, normal());
                       rig.run(Cast{x, rig.out("to", shape, to)});
                     }});
  };
  for (const DType from : {DType::f32, DType::bf16})
    for (const DType to : {DType::f32, DType::bf16})
      for (const int64_t channels : {shape.c + 1, (shape.c + 7) / 8 * 8})
        table.push_back(
            {text("cast: ", name, " ", from, " to ", to, ", padded to ", channels, " channels"),
             [=](OpRig& rig) {
               const Tensor x = rig.in("from", shape, from, normal());
               rig.run(Cast{x, rig.out("to", {shape.n, channels, shape.t, shape.h, shape.w}, to)});
             }});
  for (const DType from : {DType::f64, DType::f32, DType::bf16})
    for (const DType to : {DType::f64, DType::f32, DType::bf16}) cast(from, to);
}

struct Pool {
  Shape x;
  Window window;
};
const Pool kPools[] = {
    {{2, 3, 3, 5, 7}, {{2, 2, 2}, {2, 2, 2}, {0, 0, 0}}},
    {{1, 45, 5, 7, 9}, {{3, 3, 3}, {2, 2, 2}, {1, 1, 1}}},
    {{3, 64, 3, 6, 7}, {{1, 3, 3}, {1, 2, 2}, {0, 1, 1}}},
    {{1, 16, 4, 5, 6}, {{3, 3, 3}, {1, 1, 1}, {1, 1, 1}}},  // windows overlap as much as they can
    {{2, 5, 5, 6, 8}, {{2, 3, 2}, {3, 2, 1}, {1, 0, 1}}},
    {{1, 230, 1, 3, 3}, {{1, 3, 3}, {1, 1, 1}, {0, 0, 0}}},
};

void add_pool(std::vector<OpCase>& table, const Pool& pool) {
  const Shape y = pool.window.output(pool.x, pool.x.c);
  const std::string name = text(pool.window, ", ", pool.x);
  const auto forward = [&](const char* particular, const Fill& fill, bool with_taps) {
    table.push_back({"max_pool.forward: " + name + particular, [=](OpRig& rig) {
                       MaxPoolForward op;
                       op.x = rig.in("x", pool.x, rig.compute(), fill);
                       op.y = rig.out("y", y, rig.compute());
                       if (with_taps) op.taps = rig.out("taps", y, DType::u8);
                       op.window = pool.window;
                       rig.run(op);
                     }});
  };
  forward("", normal(), true);
  forward(", without taps", normal(), false);
  forward(", many ties", integers(-1, 1), true);
  forward(
      ", some NaN and infinities",
      [](Rng& rng) {
        constexpr double kOdd[] = {std::numeric_limits<double>::quiet_NaN(),
                                   std::numeric_limits<double>::infinity(),
                                   -std::numeric_limits<double>::infinity()};
        const int64_t die = rng.integer(0, 19);
        return die < 3 ? kOdd[die] : rng.normal();
      },
      true);
  table.push_back({"max_pool.backward: " + name, [=](OpRig& rig) {
                     // Ties and all: the taps are those of a forward pass over few different values.
                     MaxPoolForward forward;
                     forward.x = rig.in("x", pool.x, rig.compute(), integers(-2, 2));
                     forward.y = rig.out("y", y, rig.compute());
                     forward.taps = rig.out("taps", y, DType::u8);
                     forward.window = pool.window;
                     rig.run(forward);
                     MaxPoolBackward op;
                     op.dy = rig.in("dy", y, rig.compute(), normal());
                     op.taps = forward.taps;
                     op.dx = rig.out("dx", pool.x, rig.compute());
                     op.window = pool.window;
                     rig.run(op);
                   }});
}

void add_average(std::vector<OpCase>& table, const Shape& x) {
  const Shape y = Shape::matrix(x.n, x.c);
  table.push_back({text("global_avg_pool.forward: ", x), [=](OpRig& rig) {
                     const Tensor in = rig.in("x", x, rig.compute(), normal());
                     rig.run(GlobalAvgPoolForward{in, rig.out("y", y, rig.compute())});
                   }});
  table.push_back({text("global_avg_pool.backward: ", x), [=](OpRig& rig) {
                     const Tensor dy = rig.in("dy", y, rig.compute(), normal());
                     rig.run(GlobalAvgPoolBackward{dy, rig.out("dx", x, rig.compute())});
                   }});
}

void add_dropout(std::vector<OpCase>& table, const Shape& shape, double p, uint64_t stream) {
  const std::string name = text(shape, " p ", p, " stream ", stream);
  table.push_back({"dropout: " + name, [=](OpRig& rig) {
                     const Tensor x = rig.in("x", shape, rig.compute(), normal());
                     rig.run(Dropout{x, rig.out("y", shape, rig.compute()), p, 0x123456789abcdefu, stream});
                   }});
  table.push_back({"dropout: " + name + ", in place", [=](OpRig& rig) {
                     const Tensor x = rig.inout("x, then y", shape, rig.compute(), normal());
                     rig.run(Dropout{x, x, p, 17, stream});
                   }});
}

/// The step comes from memory.
void add_dropout_of_step(std::vector<OpCase>& table, const Shape& shape, int64_t step) {
  table.push_back({text("dropout: ", shape, " of step ", step), [=](OpRig& rig) {
                     const Tensor x = rig.in("x", shape, rig.compute(), normal());
                     const Tensor at =
                         rig.in("step", Shape::vector(1), DType::i64, constant(static_cast<double>(step)));
                     rig.run(Dropout{x, rig.out("y", shape, rig.compute()), 0.4, 17, 5, at});
                   }});
}

void add_subsample(std::vector<OpCase>& table, const Shape& x, int64_t channels,
                   std::array<int64_t, 3> stride) {
  // A window of one element: its output extents are those of every stride-th place.
  const Shape y = Window{{1, 1, 1}, stride, {0, 0, 0}}.output(x, channels);
  table.push_back({text("subsample.forward: ", x, " -> ", y), [=](OpRig& rig) {
                     const Tensor in = rig.in("x", x, rig.compute(), normal());
                     rig.run(SubsampleForward{in, rig.out("y", y, rig.compute()), stride});
                   }});
  table.push_back({text("subsample.backward: ", y, " -> ", x), [=](OpRig& rig) {
                     const Tensor dy = rig.in("dy", y, rig.compute(), normal());
                     rig.run(SubsampleBackward{dy, rig.out("dx", x, rig.compute()), stride});
                   }});
}

/// Clip 0 is blended, clip 1 gets a box, clip 2 has itself for a partner, clip 3 a box of all its frame.
void add_mix(std::vector<OpCase>& table, int64_t channels, int64_t height, int64_t width) {
  const Shape shape{4, channels, 2, height, width};
  const auto bottom = static_cast<double>(height), right = static_cast<double>(width);
  table.push_back(
      {text("mix_clips: ", shape), [=](OpRig& rig) {
         MixClips op;
         op.x = rig.in("x", shape, rig.compute(), normal());
         op.y = rig.out("y", shape, rig.compute());
         op.partner = rig.in("partner", Shape::vector(4), DType::i32, sequence({3, 0, 2, 1}));
         op.fraction = rig.in("fraction", Shape::vector(4), rig.master(), sequence({0.3, 1, 0.75, 1}));
         op.box =
             rig.in("box", Shape::matrix(4, 4), DType::i32,
                    sequence({0, 0, 0, 0, 1, 2, bottom - 1, right, 0, 0, 0, right, 0, 0, bottom, right}));
         rig.run(op);
       }});
}

}  // namespace

void add_elementwise_and_pools(std::vector<OpCase>& table) {
  for (const Shape& shape : kShapes) add_elementwise(table, shape);
  for (const Pool& pool : kPools) add_pool(table, pool);
  for (const Shape& shape : kShapes) add_average(table, shape);
  for (const Shape& shape : kShapes) add_dropout(table, shape, 0.5, 3);
  add_dropout(table, kShapes[1], 0.3, uint64_t{7} << 40);
  add_dropout(table, kShapes[1], 0, 1);
  for (const int64_t step : {int64_t{0}, int64_t{1}, int64_t{1} << 40})
    add_dropout_of_step(table, kShapes[1], step);
  add_subsample(table, {2, 64, 4, 5, 7}, 128, {2, 2, 2});
  add_subsample(table, {1, 45, 3, 6, 5}, 230, {1, 2, 2});
  add_subsample(table, {3, 3, 5, 4, 4}, 3, {3, 1, 2});
  add_subsample(table, {1, 8, 2, 3, 3}, 16, {1, 1, 1});
  add_mix(table, 3, 6, 7);
  add_mix(table, 8, 5, 4);
}

}  // namespace laban::test::cases
