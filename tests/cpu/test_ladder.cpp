// Every rung of the convolution ladder computes the convolution, for every instruction set that this machine has.
#include <doctest/doctest.h>

#include <cmath>

#include "core/rng.h"
#include "cpu/kernels.h"
#include "reference/reference_backend.h"

using namespace laban;
using namespace laban::cpu;

namespace {

std::vector<float> normals(int64_t count, uint64_t stream) {
  std::vector<float> values(static_cast<size_t>(count));
  Rng rng(3, Purpose::test, stream);
  for (float& value : values) value = static_cast<float>(rng.normal());
  return values;
}

/// The largest difference in units of the RMS.
double error_of(const std::vector<float>& got, const std::vector<double>& right) {
  double largest = 0, squares = 0;
  for (size_t i = 0; i < right.size(); ++i) {
    const double difference = std::abs(static_cast<double>(got[i]) - right[i]);
    if (!(difference <= largest)) largest = difference;  // NaN gets in
    squares += right[i] * right[i];
  }
  return largest / std::sqrt(squares / static_cast<double>(right.size()));
}

}  // namespace

TEST_CASE("every rung of the ladder agrees with the reference in f64") {
  struct Case {
    int64_t images, rows, columns, inputs, outputs;
  };
  // A single place; what fits no tile of any kind; whole tiles; more places than a block has.
  for (const Case& c : {Case{1, 1, 1, 1, 1}, Case{2, 5, 7, 3, 5}, Case{1, 9, 6, 45, 33},
                        Case{2, 4, 4, 64, 144}, Case{3, 14, 10, 300, 40}}) {
    LadderConvolution convolution{.images = c.images,
                                  .rows = c.rows,
                                  .columns = c.columns,
                                  .inputs = c.inputs,
                                  .outputs = c.outputs,
                                  .x = nullptr,
                                  .w = nullptr,
                                  .y = nullptr};
    const auto x = normals(convolution.places() * c.inputs, 1), w = normals(c.outputs * 9 * c.inputs, 2);
    std::vector<float> y(static_cast<size_t>(convolution.places() * c.outputs));
    convolution.x = x.data(), convolution.w = w.data(), convolution.y = y.data();

    std::vector<double> wide_x(x.begin(), x.end()), wide_w(w.begin(), w.end()), right(y.size());
    ReferenceBackend reference;
    reference.run(ConvForward{.x = Tensor(wide_x.data(), Shape{c.images, c.inputs, 1, c.rows, c.columns}),
                              .w = Tensor(wide_w.data(), Shape{c.outputs, c.inputs, 1, 3, 3}),
                              .bias = {},
                              .y = Tensor(right.data(), Shape{c.images, c.outputs, 1, c.rows, c.columns}),
                              .window = {{1, 3, 3}, {1, 1, 1}, {0, 1, 1}}},
                  {});
    for (const Isa isa : compiled_isas()) {
      if (!can_run(isa)) {
        MESSAGE("not run: ", std::string(name_of(isa)), ", this machine lacks ", lacking(isa));
        continue;
      }
      ThreadPool pool(3);
      for (const LadderRung& rung : kernels_for(isa).ladder()) {
        INFO(std::string(name_of(isa)), ", ", std::string(rung.name), ": ", c.images, " x ", c.rows, "x",
             c.columns, ", ", c.inputs, " -> ", c.outputs);
        const auto run = rung.prepare(convolution, pool);
        // Twice, or what the first run left behind would not be noticed. Sums in f32: test_op_cases.cpp derives 8e-6,
        // and F(4x2, 3x3) may err twice as much.
        for (int again = 0; again < 2; ++again) {
          std::fill(y.begin(), y.end(), NAN);
          run();
          CHECK(error_of(y, right) <= 2 * 8e-6);
        }
      }
    }
  }
}
