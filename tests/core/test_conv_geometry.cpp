// Folding reads the same memory as a convolution of fewer dimensions: its extents must be those of its
// window, and the reference must compute the same numbers from it, in all three passes.
#include <doctest/doctest.h>

#include <algorithm>

#include "core/conv_geometry.h"
#include "core/rng.h"
#include "reference/reference_backend.h"
#include "support/host_tensor.h"

using namespace laban;
using namespace laban::test;

namespace {

struct Folding {
  Shape x;
  int64_t outputs;
  Window window;
  bool planar, pointwise;
};
const Folding kFoldings[] = {
    {{2, 3, 4, 6, 5}, 4, {{1, 3, 3}, {1, 1, 1}, {0, 1, 1}}, true, false},
    {{2, 3, 4, 7, 5}, 4, {{1, 3, 3}, {1, 2, 2}, {0, 1, 1}}, true, false},
    {{1, 2, 3, 9, 8}, 3, {{1, 7, 7}, {1, 2, 2}, {0, 3, 3}}, true, false},
    {{2, 4, 5, 3, 4}, 2, {{3, 1, 1}, {1, 1, 1}, {1, 0, 0}}, true, false},
    {{2, 4, 5, 3, 4}, 2, {{3, 1, 1}, {2, 1, 1}, {1, 0, 0}}, true, false},
    {{2, 4, 6, 3, 3}, 2, {{1, 1, 1}, {2, 1, 1}, {0, 0, 0}}, true, false},
    {{3, 5, 2, 3, 4}, 7, {{1, 1, 1}, {1, 1, 1}, {0, 0, 0}}, true, true},
    {{2, 3, 4, 5, 6}, 2, {{1, 1, 1}, {1, 2, 2}, {0, 0, 0}}, true, false},
    // Nothing to fold: the kernel, the stride or the padding looks along every axis.
    {{1, 2, 4, 5, 5}, 3, {{3, 3, 3}, {1, 1, 1}, {1, 1, 1}}, false, false},
    {{2, 2, 5, 5, 5}, 3, {{1, 1, 1}, {2, 2, 2}, {0, 0, 0}}, false, false},
    {{2, 2, 3, 4, 4}, 3, {{1, 1, 1}, {1, 1, 1}, {1, 1, 1}}, false, false},
};

HostTensor random_tensor(const Shape& shape, uint64_t stream) {
  HostTensor tensor(shape);
  Rng rng(7, Purpose::test, stream);
  for (int64_t i = 0; i < shape.count(); ++i) tensor.set(i, rng.normal());
  return tensor;
}

Shape weight_shape(const ConvGeometry& g) {
  return {g.y.c, g.x.c, g.window.kernel[0], g.window.kernel[1], g.window.kernel[2]};
}

}  // namespace

TEST_CASE("a folded convolution has as many elements, and the extents of its own window") {
  for (const Folding& f : kFoldings) {
    CAPTURE(f.x);
    CAPTURE(f.window);
    const ConvGeometry g{f.x, f.window.output(f.x, f.outputs), f.window};
    const ConvGeometry flat = folded(g);
    CHECK(flat.y == flat.window.output(flat.x, f.outputs));
    CHECK(flat.x.count() == g.x.count());
    CHECK(flat.y.count() == g.y.count());
    CHECK(weight_shape(flat).count() == weight_shape(g).count());
    CHECK(is_planar(flat) == f.planar);
    CHECK(is_pointwise(g) == f.pointwise);
    CHECK(folded(flat) == flat);
  }
}

TEST_CASE("a folded convolution computes the same numbers, forward and both gradients") {
  ReferenceBackend backend;
  for (const Folding& f : kFoldings) {
    CAPTURE(f.x);
    CAPTURE(f.window);
    const ConvGeometry g{f.x, f.window.output(f.x, f.outputs), f.window};
    HostTensor x = random_tensor(g.x, 1), w = random_tensor(weight_shape(g), 2), dy = random_tensor(g.y, 3);

    const auto results = [&](const ConvGeometry& as) {
      HostTensor y(g.y), dx(g.x), dw(weight_shape(g));
      const auto view_x = [&](Tensor t) { return t.reshaped(as.x); };
      const auto view_y = [&](Tensor t) { return t.reshaped(as.y); };
      const auto view_w = [&](Tensor t) { return t.reshaped(weight_shape(as)); };
      run_op(backend,
             ConvForward{.x = view_x(x), .w = view_w(w), .bias = {}, .y = view_y(y), .window = as.window});
      run_op(backend,
             ConvBackwardData{.dy = view_y(dy), .w = view_w(w), .dx = view_x(dx), .window = as.window});
      run_op(backend,
             ConvBackwardWeights{
                 .x = view_x(x), .dy = view_y(dy), .dw = view_w(dw), .dbias = {}, .window = as.window});
      std::vector<double> all = y.values();
      for (const HostTensor* more : {&dx, &dw})
        for (const double value : more->values()) all.push_back(value);
      return all;
    };
    const std::vector<double> whole = results(g), flat = results(folded(g));
    REQUIRE(whole.size() == flat.size());
    double worst = 0;
    for (size_t i = 0; i < whole.size(); ++i) worst = std::max(worst, std::abs(whole[i] - flat[i]));
    CHECK(worst < 1e-13);
  }
}
