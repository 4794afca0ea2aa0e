// Convolutions: the shapes that the models have (with their odd channel counts), and the corners of the
// geometry.
#include <cmath>

#include "support/op_cases.h"

namespace laban::test::cases {
namespace {

struct Geometry {
  Shape x;
  int64_t outputs;
  Window window;
  bool bias = false;
};

// Shape is {n, c, t, h, w}; Window is kernel, stride, padding.
const Geometry kGeometries[] = {
    {{2, 3, 3, 5, 7}, 45, {}, true},                             // pointwise
    {{3, 64, 4, 5, 7}, 128, {{1, 1, 1}, {2, 2, 2}, {0, 0, 0}}},  // shortcut B: most inputs are skipped
    {{1, 3, 5, 7, 6}, 64, {{3, 3, 3}, {1, 1, 1}, {1, 1, 1}}, true},
    {{2, 64, 3, 5, 5}, 64, {{3, 3, 3}, {1, 1, 1}, {1, 1, 1}}},
    {{1, 45, 5, 7, 9}, 64, {{3, 3, 3}, {2, 2, 2}, {1, 1, 1}}},
    {{1, 64, 3, 6, 7}, 45, {{3, 3, 3}, {1, 2, 2}, {1, 1, 1}}, true},
    {{2, 8, 5, 6, 7}, 16, {{3, 3, 3}, {1, 1, 1}, {0, 0, 0}}},
    {{1, 64, 3, 5, 7}, 230, {{1, 3, 3}, {1, 1, 1}, {0, 1, 1}}},  // (2+1)D: space, then time
    {{2, 64, 2, 9, 7}, 230, {{1, 3, 3}, {1, 2, 2}, {0, 1, 1}}},
    {{1, 230, 5, 4, 3}, 64, {{3, 1, 1}, {1, 1, 1}, {1, 0, 0}}},
    {{2, 230, 5, 3, 3}, 128, {{3, 1, 1}, {2, 1, 1}, {1, 0, 0}}, true},
    {{1, 45, 4, 7, 7}, 64, {{3, 1, 1}, {1, 1, 1}, {1, 0, 0}}},
    {{2, 3, 3, 13, 15}, 45, {{1, 7, 7}, {1, 2, 2}, {0, 3, 3}}},  // stems
    {{1, 3, 4, 14, 13}, 64, {{3, 7, 7}, {1, 2, 2}, {1, 3, 3}}},
    {{1, 3, 5, 9, 11}, 16, {{7, 7, 7}, {1, 2, 2}, {3, 3, 3}}, true},
    {{3, 5, 5, 7, 8}, 7, {{2, 3, 2}, {2, 1, 3}, {1, 0, 1}}, true},   // even kernels, every stride another
    {{2, 4, 8, 8, 8}, 6, {{3, 3, 3}, {3, 3, 3}, {0, 0, 0}}},         // the last rows are never looked at
    {{2, 6, 1, 2, 2}, 5, {{3, 3, 3}, {1, 1, 1}, {1, 1, 1}}, true},   // kernel larger than the input
    {{1, 16, 3, 3, 3}, 1, {{3, 3, 3}, {1, 1, 1}, {0, 0, 0}}, true},  // a single output
    {{1, 1, 1, 1, 1}, 1, {{1, 1, 1}, {1, 1, 1}, {0, 0, 0}}, true},
};

Shape weight_shape(const Geometry& g) {
  return {g.outputs, g.x.c, g.window.kernel[0], g.window.kernel[1], g.window.kernel[2]};
}
Fill weights(const Geometry& g) {
  return normal(1 / std::sqrt(static_cast<double>(g.window.volume() * g.x.c)));
}

/// `fill` for the first `own` of `channels`, zeros behind.
Fill in_first_channels(int64_t own, int64_t channels, Fill fill) {
  return [=, i = int64_t{0}](Rng& rng) mutable { return i++ % channels < own ? fill(rng) : 0.0; };
}

}  // namespace

void add_conv(std::vector<OpCase>& table) {
  for (const Geometry& g : kGeometries) {
    const std::string name = text(g.window, ", ", g.x, " -> ", g.outputs, g.bias ? " with bias" : "");
    table.push_back({"conv.forward: " + name, [&g](OpRig& rig) {
                       ConvForward op;
                       op.x = rig.in("x", g.x, rig.compute(), normal());
                       op.w = rig.in("w", weight_shape(g), rig.compute(), weights(g));
                       if (g.bias) op.bias = rig.in("bias", Shape::vector(g.outputs), rig.master(), normal());
                       op.y = rig.out("y", g.window.output(g.x, g.outputs), rig.compute());
                       op.window = g.window;
                       op.weights_version = OpRig::new_weights_version();
                       rig.run(op);
                     }});
    // What is behind the convolution takes turns: with and without a residual, a ReLU.
    for (const int form : {0, 1}) {
      const bool residual = form == 1, relu = (form + g.outputs) % 2 == 0;
      table.push_back({"conv.batch_norm: " + name + (residual ? ", residual" : "") + (relu ? ", relu" : ""),
                       [&g, residual, relu](OpRig& rig) {
                         const Shape y = g.window.output(g.x, g.outputs), vector = Shape::vector(g.outputs);
                         ConvBatchNorm op;
                         op.x = rig.in("x", g.x, rig.compute(), normal());
                         op.w = rig.in("w", weight_shape(g), rig.compute(), weights(g));
                         if (g.bias) op.bias = rig.in("bias", vector, rig.master(), normal());
                         if (residual) op.residual = rig.in("residual", y, rig.compute(), normal());
                         op.y = rig.out("y", y, rig.compute());
                         op.gamma = rig.in("gamma", vector, rig.master(), normal(0.3, 1));
                         op.beta = rig.in("beta", vector, rig.master(), normal(0.3));
                         op.running_mean = rig.in("running_mean", vector, rig.master(), normal());
                         op.running_var = rig.in("running_var", vector, rig.master(), uniform(0.5, 2));
                         op.relu = relu;
                         op.window = g.window;
                         op.weights_version = OpRig::new_weights_version();
                         rig.run(op);
                       }});
    }
    table.push_back({"conv.backward_data: " + name, [&g](OpRig& rig) {
                       ConvBackwardData op;
                       op.dy = rig.in("dy", g.window.output(g.x, g.outputs), rig.compute(), normal());
                       op.w = rig.in("w", weight_shape(g), rig.compute(), weights(g));
                       op.dx = rig.out("dx", g.x, rig.compute());
                       op.window = g.window;
                       op.weights_version = OpRig::new_weights_version();
                       rig.run(op);
                     }});
    table.push_back({"conv.backward_data: added, " + name, [&g](OpRig& rig) {
                       ConvBackwardData op;
                       op.dy = rig.in("dy", g.window.output(g.x, g.outputs), rig.compute(), normal());
                       op.w = rig.in("w", weight_shape(g), rig.compute(), weights(g));
                       op.dx = rig.inout("dx", g.x, rig.compute(), normal());
                       op.window = g.window;
                       op.weights_version = OpRig::new_weights_version();
                       op.accumulate = true;
                       rig.run(op);
                     }});
    table.push_back({"conv.backward_weights: " + name, [&g](OpRig& rig) {
                       ConvBackwardWeights op;
                       op.x = rig.in("x", g.x, rig.compute(), normal());
                       op.dy = rig.in("dy", g.window.output(g.x, g.outputs), rig.compute(), normal());
                       op.dw = rig.inout("dw", weight_shape(g), rig.master(), normal());
                       if (g.bias)
                         op.dbias = rig.inout("dbias", Shape::vector(g.outputs), rig.master(), normal());
                       op.window = g.window;
                       rig.run(op);
                     }});
  }
  // A clip's 3 channels, padded to 8: a backend is told so.
  static const Geometry stem{{2, 8, 4, 11, 14}, 16, {{3, 7, 7}, {1, 2, 2}, {1, 3, 3}}};
  table.push_back({"conv.forward: a stem, 3 channels padded to 8", [](OpRig& rig) {
                     ConvForward op;
                     op.x = rig.in("x", stem.x, rig.compute(), in_first_channels(3, stem.x.c, normal()));
                     op.w = rig.in("w", weight_shape(stem), rig.compute(),
                                   in_first_channels(3, stem.x.c, weights(stem)));
                     op.y = rig.out("y", stem.window.output(stem.x, stem.outputs), rig.compute());
                     op.window = stem.window;
                     op.weights_version = OpRig::new_weights_version();
                     op.own_channels = 3;
                     rig.run(op);
                   }});
  table.push_back({"conv.backward_weights: a stem, 3 channels padded to 8", [](OpRig& rig) {
                     ConvBackwardWeights op;
                     op.x = rig.in("x", stem.x, rig.compute(), in_first_channels(3, stem.x.c, normal()));
                     op.dy = rig.in("dy", stem.window.output(stem.x, stem.outputs), rig.compute(), normal());
                     op.dw = rig.inout("dw", weight_shape(stem), rig.master(),
                                       in_first_channels(3, stem.x.c, normal()));
                     op.window = stem.window;
                     op.own_channels = 3;
                     rig.run(op);
                   }});
  // Weights that change in place, as an optimizer changes them: a packed copy of the old ones must not be
  // used.
  static const Geometry g{{1, 8, 2, 4, 4}, 8, {{3, 3, 3}, {1, 1, 1}, {1, 1, 1}}};
  table.push_back({"conv.forward: the same buffer holds new weights", [](OpRig& rig) {
                     ConvForward op;
                     op.x = rig.in("x", g.x, rig.compute(), normal());
                     op.w = rig.in("w", weight_shape(g), rig.compute(), weights(g));
                     op.window = g.window;
                     for (const char* name : {"y of the old weights", "y of the new weights"}) {
                       op.y = rig.out(name, g.window.output(g.x, g.outputs), rig.compute());
                       op.weights_version = OpRig::new_weights_version();
                       rig.run(op);
                       rig.refill(op.w, weights(g));
                     }
                   }});
  table.push_back({"conv.backward_data: the same buffer holds new weights", [](OpRig& rig) {
                     ConvBackwardData op;
                     op.dy = rig.in("dy", g.window.output(g.x, g.outputs), rig.compute(), normal());
                     op.w = rig.in("w", weight_shape(g), rig.compute(), weights(g));
                     op.window = g.window;
                     for (const char* name : {"dx of the old weights", "dx of the new weights"}) {
                       op.dx = rig.out(name, g.x, rig.compute());
                       op.weights_version = OpRig::new_weights_version();
                       rig.run(op);
                       rig.refill(op.w, weights(g));
                     }
                   }});
}

}  // namespace laban::test::cases
