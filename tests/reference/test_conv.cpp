// Convolution against numbers worked out on paper, against its definition over a padded copy, against
// PyTorch, and, for the two gradients, against what linearity demands.
#include <doctest/doctest.h>

#include <cmath>

#include "core/rng.h"
#include "reference/reference_backend.h"
#include "support/host_tensor.h"

using namespace laban;
using namespace laban::test;

namespace {

struct Geometry {
  Shape x;
  int64_t outputs;
  Window window;
  Shape w() const { return {outputs, x.c, window.kernel[0], window.kernel[1], window.kernel[2]}; }
  Shape y() const { return window.output(x, outputs); }
};
// Odd sizes, every stride another, even kernels, a kernel larger than the input, inputs that no window
// reaches.
const Geometry kGeometries[] = {
    {{2, 3, 3, 4, 5}, 4, {{3, 3, 3}, {1, 1, 1}, {1, 1, 1}}},
    {{1, 2, 4, 5, 7}, 3, {{2, 3, 2}, {2, 1, 3}, {1, 0, 1}}},
    {{2, 2, 1, 2, 2}, 2, {{3, 3, 3}, {1, 1, 1}, {1, 1, 1}}},
    {{1, 4, 5, 3, 3}, 2, {{3, 1, 1}, {2, 1, 1}, {1, 0, 0}}},
    {{1, 2, 2, 9, 8}, 3, {{1, 7, 7}, {1, 2, 2}, {0, 3, 3}}},
    {{2, 3, 5, 5, 5}, 2, {{1, 1, 1}, {3, 2, 2}, {0, 0, 0}}},
    {{1, 9, 3, 4, 4}, 10, {{3, 3, 3}, {2, 2, 2}, {0, 0, 0}}},
};

HostTensor random_tensor(const Shape& shape, uint64_t stream) {
  HostTensor tensor(shape);
  Rng rng(42, Purpose::test, stream);
  for (int64_t i = 0; i < shape.count(); ++i) tensor.set(i, rng.normal());
  return tensor;
}
double inner(const HostTensor& a, const HostTensor& b) {
  double sum = 0;
  for (int64_t i = 0; i < a.shape().count(); ++i) sum += a[i] * b[i];
  return sum;
}
HostTensor conv(const Geometry& g, HostTensor& x, HostTensor& w, Tensor bias = {}) {
  ReferenceBackend backend;
  HostTensor y(g.y(), DType::f64, NAN);
  run_op(backend, ConvForward{x, w, bias, y, g.window});
  return y;
}
HostTensor conv_data_gradient(const Geometry& g, HostTensor& dy, HostTensor& w) {
  ReferenceBackend backend;
  HostTensor dx(g.x, DType::f64, NAN);
  run_op(backend, ConvBackwardData{dy, w, dx, g.window});
  return dx;
}
HostTensor conv_weight_gradient(const Geometry& g, HostTensor& x, HostTensor& dy, Tensor dbias = {}) {
  ReferenceBackend backend;
  HostTensor dw(g.w());
  run_op(backend, ConvBackwardWeights{x, dy, dw, dbias, g.window});
  return dw;
}

}  // namespace

TEST_CASE("convolution along w, on paper") {
  // Two channels, three columns; the filter weighs (channel 0, channel 1) of the left, middle and right
  // column.
  HostTensor x({1, 2, 1, 1, 3}, {1, 2, 3, 4, 5, 6});
  HostTensor w({1, 2, 1, 1, 3}, {1, 10, 100, 1000, 10000, 100000});
  HostTensor bias(Shape::vector(1), {0.5});
  const Geometry same{x.shape(), 1, {{1, 1, 3}, {1, 1, 1}, {0, 0, 1}}};
  // Column 0 sees nothing on its left: 1*100 + 2*1000 + 3*10000 + 4*100000; and so on.
  CHECK(conv(same, x, w, bias).values() == std::vector<double>{432100.5, 654321.5, 6543.5});
  const Geometry strided{x.shape(), 1, {{1, 1, 3}, {1, 1, 2}, {0, 0, 1}}};
  CHECK(conv(strided, x, w).values() == std::vector<double>{432100, 6543});

  // dy = (1, 2, 0): every input collects the weights through which the outputs saw it.
  HostTensor dy(same.y(), {1, 2, 0});
  CHECK(conv_data_gradient(same, dy, w).values() ==
        std::vector<double>{102, 1020, 10200, 102000, 20000, 200000});
  HostTensor dbias(Shape::vector(1), {7});
  CHECK(conv_weight_gradient(same, x, dy, dbias).values() == std::vector<double>{2, 4, 7, 10, 13, 16});
  CHECK(dbias[0] == 10);
}

TEST_CASE("convolution is its definition over a padded copy") {
  for (const Geometry& g : kGeometries) {
    INFO(g.window);
    HostTensor x = random_tensor(g.x, 1), w = random_tensor(g.w(), 2),
               bias = random_tensor(Shape::vector(g.outputs), 3);
    const HostTensor y = conv(g, x, w, bias);
    const auto [pt, ph, pw] = g.window.padding;
    const auto [st, sh, sw] = g.window.stride;
    HostTensor padded({g.x.n, g.x.c, g.x.t + 2 * pt, g.x.h + 2 * ph, g.x.w + 2 * pw});
    for (int64_t n = 0; n < g.x.n; ++n)
      for (int64_t c = 0; c < g.x.c; ++c)
        for (int64_t t = 0; t < g.x.t; ++t)
          for (int64_t h = 0; h < g.x.h; ++h)
            for (int64_t v = 0; v < g.x.w; ++v)
              padded.set(padded.shape().index(n, t + pt, h + ph, v + pw, c), x.at(n, t, h, v, c));
    double worst = 0;
    for (int64_t n = 0; n < g.y().n; ++n)
      for (int64_t o = 0; o < g.outputs; ++o)
        for (int64_t t = 0; t < g.y().t; ++t)
          for (int64_t h = 0; h < g.y().h; ++h)
            for (int64_t v = 0; v < g.y().w; ++v) {
              double sum = bias[o];
              for (int64_t c = 0; c < g.x.c; ++c)
                for (int64_t kt = 0; kt < g.w().t; ++kt)
                  for (int64_t kh = 0; kh < g.w().h; ++kh)
                    for (int64_t kw = 0; kw < g.w().w; ++kw)
                      sum += w.at(o, kt, kh, kw, c) * padded.at(n, t * st + kt, h * sh + kh, v * sw + kw, c);
              worst = std::max(worst, std::abs(y.at(n, t, h, v, o) - sum));
            }
    CHECK(worst < 1e-12);
  }
}

TEST_CASE("the gradients are the transposes of the forward map, one basis vector after another") {
  // y is linear in x and in w: dx[j] = <dy, conv(e_j, w)> and dw[j] = <dy, conv(x, e_j)>.
  for (const Geometry& g : kGeometries) {
    INFO(g.window);
    HostTensor x = random_tensor(g.x, 4), w = random_tensor(g.w(), 5), dy = random_tensor(g.y(), 6);
    std::vector<double> dx, dw;
    HostTensor ex(g.x), ew(g.w());
    for (int64_t j = 0; j < g.x.count(); ++j) {
      ex.set(j, 1);
      dx.push_back(inner(dy, conv(g, ex, w)));
      ex.set(j, 0);
    }
    for (int64_t j = 0; j < g.w().count(); ++j) {
      ew.set(j, 1);
      dw.push_back(inner(dy, conv(g, x, ew)));
      ew.set(j, 0);
    }
    CHECK(conv_data_gradient(g, dy, w).distance(dx) < 1e-12);
    CHECK(conv_weight_gradient(g, x, dy).distance(dw) < 1e-12);
  }
}

TEST_CASE("<conv(x), dy> = <x, dx> = <w, dw>") {
  // Larger shapes than a basis can be run through: a stem, and the two halves of a factorized convolution.
  const Geometry larger[] = {{{1, 3, 4, 14, 13}, 16, {{3, 7, 7}, {1, 2, 2}, {1, 3, 3}}},
                             {{1, 64, 3, 6, 7}, 230, {{1, 3, 3}, {1, 2, 2}, {0, 1, 1}}},
                             {{2, 230, 5, 3, 3}, 64, {{3, 1, 1}, {2, 1, 1}, {1, 0, 0}}}};
  for (const Geometry& g : larger) {
    INFO(g.window);
    HostTensor x = random_tensor(g.x, 7), w = random_tensor(g.w(), 8), dy = random_tensor(g.y(), 9);
    const double by_y = inner(conv(g, x, w), dy);
    const double size = std::sqrt(inner(dy, dy) * inner(x, x));
    CHECK(std::abs(inner(x, conv_data_gradient(g, dy, w)) - by_y) < 1e-13 * size);
    CHECK(std::abs(inner(w, conv_weight_gradient(g, x, dy)) - by_y) < 1e-13 * size);
  }
}

TEST_CASE("weight and bias gradients are added to what is there") {
  const Geometry& g = kGeometries[0];
  HostTensor x = random_tensor(g.x, 1), dy = random_tensor(g.y(), 2), dw(g.w()),
             dbias(Shape::vector(g.outputs));
  ReferenceBackend backend;
  const ConvBackwardWeights op{x, dy, dw, dbias, g.window};
  run_op(backend, op);
  std::vector<double> twice_w = dw.values(), twice_bias = dbias.values();
  for (double& v : twice_w) v *= 2;
  for (double& v : twice_bias) v *= 2;
  run_op(backend, op);
  CHECK(dw.distance(twice_w) < 1e-14);
  CHECK(dbias.distance(twice_bias) < 1e-14);
}

TEST_CASE("convolution agrees with PyTorch") {
  // x = torch.sin(torch.arange(240.)).view(2,3,4,5,2).permute(0,4,1,2,3)      (f64 throughout)
  // w = torch.cos(torch.arange(72.)).view(3,2,3,2,2).permute(0,4,1,2,3);  b = torch.tensor([.5,-1,2])
  // y = F.conv3d(x, w, b, stride=(2,1,3), padding=(1,1,0))
  // dy = torch.sin(.7*torch.arange(96.)).view(2,2,4,2,3).permute(0,4,1,2,3);  y.backward(dy)
  // The figures: elements in NDHWC order, and the sum of squares of all.
  const Geometry g{{2, 2, 3, 4, 5}, 3, {{2, 3, 2}, {2, 1, 3}, {1, 1, 0}}};
  HostTensor x(g.x), w(g.w()), dy(g.y()), bias(Shape::vector(3), {0.5, -1, 2}), dbias(Shape::vector(3));
  CHECK(g.y() == Shape{2, 3, 2, 4, 2});
  for (int64_t i = 0; i < g.x.count(); ++i) x.set(i, std::sin(static_cast<double>(i)));
  for (int64_t i = 0; i < g.w().count(); ++i) w.set(i, std::cos(static_cast<double>(i)));
  for (int64_t i = 0; i < g.y().count(); ++i) dy.set(i, std::sin(0.7 * static_cast<double>(i)));
  const HostTensor y = conv(g, x, w, bias), dx = conv_data_gradient(g, dy, w),
                   dw = conv_weight_gradient(g, x, dy, dbias);
  const auto check = [](const HostTensor& tensor, std::vector<int64_t> places, std::vector<double> values,
                        double squares) {
    for (size_t i = 0; i < places.size(); ++i) CHECK(std::abs(tensor[places[i]] - values[i]) < 1e-12);
    CHECK(std::abs(inner(tensor, tensor) / squares - 1) < 1e-13);
  };
  check(y, {0, 1, 7, 50, 95},
        {1.64679998902198, -3.37048976251788, 4.54404363421992, -0.0452139311201537, 3.10019541053391},
        844.037442306085);
  check(dx, {0, 1, 33, 100, 239},
        {-0.0520355583659927, -2.57029213431062, -0.766736989011946, 0.228310926621562, 2.70496816350695},
        1214.88906179203);
  check(dw, {0, 1, 13, 40, 71},
        {-0.883520492890362, 0.560793967317371, 2.02960725531414, -3.52304791189161, -2.92293095228823},
        226.898943176197);
  CHECK(dbias.distance({0.854269139840203, 0.910268354169604, 0.538154138197649}) < 1e-13);
}
