// A stem unfolded: laid out by the kernels, computed by the reference, it is the stem's own convolution, its
// padding's zeros left out.
#include <doctest/doctest.h>

#include <limits>

#include "core/rng.h"
#include "cuda/conv/unfolded.h"
#include "cuda/kernels/kernels.h"
#include "reference/reference_backend.h"
#include "support/host_tensor.h"

using namespace laban;
using namespace laban::test;

namespace {

/// Normal in the first `own` channels, zero behind.
HostTensor padded_values(const Shape& shape, DType dtype, int64_t own, uint64_t seed) {
  HostTensor tensor(shape, dtype);
  Rng rng(seed, Purpose::test);
  for (int64_t i = 0; i < shape.count(); ++i)
    if (i % shape.c < own) tensor.set(i, rounded(rng.normal(), DType::bf16));
  return tensor;
}

constexpr double kUnwritten = std::numeric_limits<double>::quiet_NaN();

}  // namespace

TEST_CASE("emulated kernels: an unfolded stem is the stem") {
  struct Case {
    Shape x;
    int64_t own, outputs;
    Window window;
  };
  const Case cases[] = {
      {{2, 8, 3, 9, 12}, 3, 16, {{3, 7, 7}, {1, 2, 2}, {1, 3, 3}}},  // r3d_18
      {{1, 8, 5, 8, 9}, 3, 8, {{1, 7, 7}, {1, 2, 2}, {0, 3, 3}}},    // r2plus1d_18
      {{1, 8, 8, 9, 11}, 3, 8, {{7, 7, 7}, {1, 2, 2}, {3, 3, 3}}},   // resnet3d_50
      {{2, 16, 2, 4, 7}, 1, 8, {{1, 3, 5}, {1, 1, 1}, {0, 1, 2}}},
      {{1, 8, 1, 3, 3}, 3, 8, {{1, 1, 7}, {1, 1, 2}, {0, 0, 3}}},  // a window wider than the picture
  };
  ReferenceBackend reference;
  for (const Case& c : cases)
    for (const DType dtype : {DType::bf16, DType::f32}) {
      CAPTURE(c.window);
      CAPTURE(dtype);
      const Shape y_shape = c.window.output(c.x, c.outputs);
      const auto& k = c.window.kernel;
      const auto geometry = cuda::unfolded({c.x, y_shape, c.window}, c.own, 8);
      REQUIRE(geometry.has_value());
      CHECK(geometry->y == geometry->window.output(geometry->x, c.outputs));
      const Shape w_shape{c.outputs, c.x.c, k[0], k[1], k[2]};
      const Shape v_shape{c.outputs, geometry->x.c, k[0], k[1], 1};
      HostTensor x = padded_values(c.x, dtype, c.own, 1), w = padded_values(w_shape, dtype, c.own, 2),
                 u(geometry->x, dtype, kUnwritten), v(v_shape, dtype, kUnwritten);
      cuda::run(cuda::UnfoldRows{x, u, c.own, k[2], c.window.stride[2], c.window.padding[2]}, nullptr);
      cuda::run(cuda::UnfoldRows{w, v, c.own, k[2], 1, 0}, nullptr);

      // Forward, in f64: the same sums of the same numbers.
      const auto wide = [](HostTensor& t) { return HostTensor(t.shape(), t.values()); };
      HostTensor x64 = wide(x), w64 = wide(w), u64 = wide(u), v64 = wide(v), y(y_shape), y_of_u(y_shape);
      run_op(reference, ConvForward{.x = x64, .w = w64, .bias = {}, .y = y, .window = c.window});
      run_op(reference, ConvForward{.x = u64, .w = v64, .bias = {}, .y = y_of_u, .window = geometry->window});
      CHECK(y_of_u.distance(y.values()) < 1e-12);

      // The gradient of the weights, added to what is there; padding channels stay as they are.
      HostTensor dy = padded_values(y_shape, DType::f64, y_shape.c, 3);
      HostTensor dw(w_shape, DType::f64, 0.25), dv64(v_shape, DType::f64, 0);
      run_op(reference, ConvBackwardWeights{.x = x64, .dy = dy, .dw = dw, .dbias = {}, .window = c.window});
      run_op(reference,
             ConvBackwardWeights{.x = u64, .dy = dy, .dw = dv64, .dbias = {}, .window = geometry->window});
      HostTensor dv(v_shape, dv64.values(), DType::f32), folded(w_shape, DType::f32, 0.25);
      cuda::run(cuda::FoldRows{dv, folded, c.own}, nullptr);
      CHECK(folded.distance(dw.values()) < 2e-6);
      for (int64_t i = 0; i < w_shape.count(); ++i)
        if (i % w_shape.c >= c.own) REQUIRE(folded[i] == 0.25);
    }
}

TEST_CASE("only what saves half of the products is unfolded") {
  const Window stem{{3, 7, 7}, {1, 2, 2}, {1, 3, 3}}, cube{{3, 3, 3}, {1, 1, 1}, {1, 1, 1}};
  const auto saves = [](const Shape& x, int64_t own, const Window& window) {
    return cuda::unfolded({x, window.output(x, 64), window}, own, 8).has_value();
  };
  CHECK(saves({1, 8, 4, 16, 16}, 3, stem));
  CHECK_FALSE(saves({1, 8, 4, 16, 16}, 0, stem));    // nobody has said which channels are zeros
  CHECK_FALSE(saves({1, 8, 4, 16, 16}, 8, stem));    // none are
  CHECK_FALSE(saves({1, 48, 4, 16, 16}, 45, cube));  // 135 of 144
  CHECK_FALSE(saves({1, 8, 4, 16, 16}, 3, cube));    // 9 become 16, of 24
  CHECK_FALSE(saves({1, 8, 4, 16, 16}, 3, Window{{3, 1, 1}, {1, 1, 1}, {1, 0, 0}}));
}
