// CpuBackend's guarantees beyond correct results: packed weights are never stale, and results are
// bit-identical every time.
#include "cpu/cpu_backend.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <functional>

#include "core/rng.h"

using namespace laban;

namespace {

std::vector<float> normals(int64_t count, uint64_t stream) {
  std::vector<float> values(static_cast<size_t>(count));
  Rng rng(11, Purpose::test, stream);
  for (float& value : values) value = static_cast<float>(rng.normal());
  return values;
}

/// A tensor in the backend's memory.
class Held {
 public:
  Held(Backend& backend, Shape shape, uint64_t stream)
      : memory_(backend.allocate(static_cast<size_t>(shape.count()) * sizeof(float))),
        tensor_(memory_->data(), DType::f32, shape) {
    fill(stream);
  }
  void fill(uint64_t stream) {
    const auto values = normals(tensor_.count(), stream);
    std::memcpy(tensor_.data, values.data(), tensor_.bytes());
  }
  const Tensor& tensor() const { return tensor_; }
  std::vector<float> values() const {
    const float* data = tensor_.as<float>();
    return {data, data + tensor_.count()};
  }

 private:
  std::unique_ptr<Memory> memory_;
  Tensor tensor_;
};

/// One convolution, its tensors and its scratch.
struct Convolution {
  Convolution(Backend& backend, Shape x_shape, int64_t outputs, Window window)
      : window(window),
        x(backend, x_shape, 1),
        w(backend, {outputs, x_shape.c, window.kernel[0], window.kernel[1], window.kernel[2]}, 2),
        y(backend, window.output(x_shape, outputs), 3),
        dw(backend, w.tensor().shape, 4) {}

  ConvForward forward(uint64_t version) const {
    return {x.tensor(), w.tensor(), {}, y.tensor(), window, version};
  }
  ConvBackwardData data(uint64_t version) const {
    return {y.tensor(), w.tensor(), x.tensor(), window, version};
  }
  ConvBackwardWeights weights() const { return {x.tensor(), y.tensor(), dw.tensor(), {}, window}; }

  Window window;
  Held x, w, y, dw;
};

/// Scratch is taken once: allocating distrusts packed weights.
template <class Op>
std::unique_ptr<Memory> prepared(Backend& backend, const Op& op) {
  backend.prepare(op);
  return backend.allocate(std::max<size_t>(64, backend.scratch_bytes(op)));
}
template <class Op>
void run(Backend& backend, const Op& op, Memory& scratch) {
  backend.run(op, {scratch.data(), backend.scratch_bytes(op)});
}

// Convolutions for two kinds of Winograd's and for the direct algorithm.
const Window kSpatial{{1, 3, 3}, {1, 1, 1}, {0, 1, 1}}, kTemporal{{3, 1, 1}, {1, 1, 1}, {1, 0, 0}},
    kStrided{{3, 3, 3}, {2, 2, 2}, {1, 1, 1}};

}  // namespace

TEST_CASE("new weights under a new version are used; under the old version, the packed copy is") {
  CpuBackend backend(2);
  for (const Window& window : {kSpatial, kTemporal, kStrided}) {
    INFO(window);
    Convolution conv(backend, {1, 32, 4, 18, 18}, 48, window);
    const auto scratch = prepared(backend, conv.forward(1));
    run(backend, conv.forward(1), *scratch);
    const auto first = conv.y.values();

    conv.w.fill(5);
    run(backend, conv.forward(1), *scratch);
    CHECK(conv.y.values() == first);  // the contract: same version, same weights; so nothing was repacked
    run(backend, conv.forward(2), *scratch);
    const auto second = conv.y.values();
    CHECK(second != first);

    // A backend that never saw the old weights agrees.
    CpuBackend fresh(2);
    const auto fresh_scratch = prepared(fresh, conv.forward(2));
    run(fresh, conv.forward(2), *fresh_scratch);
    CHECK(conv.y.values() == second);

    // New memory may lie where other weights used to: after an allocation no copy is trusted.
    conv.w.fill(2);
    const auto elsewhere = backend.allocate(64);
    run(backend, conv.forward(2), *scratch);
    CHECK(conv.y.values() == first);
  }
}

TEST_CASE("the gradient of the input has its own packed copy, with its own version") {
  CpuBackend backend(2);
  for (const Window& window : {kSpatial, kTemporal, kStrided}) {
    INFO(window);
    Convolution conv(backend, {1, 32, 4, 18, 18}, 48, window);
    const auto scratch = prepared(backend, conv.data(1)),
               forward_scratch = prepared(backend, conv.forward(1));
    const auto dy = conv.y.values();
    run(backend, conv.data(1), *scratch);
    const auto first = conv.x.values();
    conv.w.fill(5);
    run(backend, conv.forward(2), *forward_scratch);  // packs for forward; y is overwritten
    std::memcpy(conv.y.tensor().data, dy.data(), dy.size() * sizeof(float));
    run(backend, conv.data(2), *scratch);
    CHECK(conv.x.values() != first);
  }
}

TEST_CASE("the same bits every time, from any backend with any number of threads") {
  for (const int threads : {1, 2, 3, 8}) {
    CpuBackend one(threads), other(1);
    for (const Window& window : {kSpatial, kTemporal, kStrided}) {
      INFO(window, ", ", threads, " threads");
      std::vector<std::vector<float>> results;
      for (Backend* backend :
           {static_cast<Backend*>(&one), static_cast<Backend*>(&one), static_cast<Backend*>(&other)}) {
        Convolution conv(*backend, {2, 32, 4, 18, 18}, 48, window);
        const auto a = prepared(*backend, conv.weights()), b = prepared(*backend, conv.forward(1)),
                   c = prepared(*backend, conv.data(1));
        run(*backend, conv.weights(), *a);
        run(*backend, conv.forward(1), *b);
        run(*backend, conv.data(1), *c);
        results.push_back(conv.dw.values());
        for (const auto& values : {conv.y.values(), conv.x.values()})
          results.back().insert(results.back().end(), values.begin(), values.end());
      }
      CHECK(results[0] == results[1]);
      CHECK(results[0] == results[2]);
    }
  }
}

TEST_CASE("batch norm keeps its precision where the mean is thousands of deviations away from zero") {
  // E[x^2] - E[x]^2 in float would lose everything here; so would squares summed in float.
  CpuBackend backend(2);
  const Shape shape{2, 24, 3, 20, 20}, vector = Shape::vector(24);
  Held x(backend, shape, 1), y(backend, shape, 2), gamma(backend, vector, 3), beta(backend, vector, 4),
      mean(backend, vector, 5), inv_std(backend, vector, 6);
  float* values = x.tensor().as<float>();
  for (int64_t i = 0; i < shape.count(); ++i) values[i] = 4096.0f + values[i];
  BatchNormTrain op;
  op.x = x.tensor();
  op.y = y.tensor();
  op.gamma = gamma.tensor();
  op.beta = beta.tensor();
  op.mean = mean.tensor();
  op.inv_std = inv_std.tensor();
  const auto scratch = prepared(backend, op);
  run(backend, op, *scratch);
  for (int64_t c = 0; c < shape.c; ++c) {
    double sum = 0, squares = 0;
    for (int64_t p = 0; p < shape.pixels(); ++p) sum += static_cast<double>(values[p * shape.c + c]);
    const double m = sum / static_cast<double>(shape.pixels());
    for (int64_t p = 0; p < shape.pixels(); ++p) {
      const double d = static_cast<double>(values[p * shape.c + c]) - m;
      squares += d * d;
    }
    const double expected = 1 / std::sqrt(squares / static_cast<double>(shape.pixels()) + op.eps);
    // var loses 2^-52 * (4096)^2 = 4e-9 of itself; what is left is the rounding to float.
    CHECK(std::abs(static_cast<double>(inv_std.values()[static_cast<size_t>(c)]) / expected - 1) <= 2e-7);
  }
}

TEST_CASE("bf16, widened: large convolutions are the reference's but for one rounding") {
  // Large enough for Winograd's kernels. Both sides read the same bf16 numbers and round once, to 8 bits;
  // sums that lie close to the middle of two bf16 numbers may fall to different sides.
  CpuBackend backend(CpuSettings{.threads = 2, .bf16 = Bf16Compute::widened});
  ReferenceBackend reference;
  const Shape x_shape{1, 20, 2, 18, 14}, w_shape{24, 20, 1, 3, 3}, y_shape = kSpatial.output(x_shape, 24);
  const auto compare = [&](const std::function<Tensor(Backend&, const Tensor&, const Tensor&, const Tensor&,
                                                      const Tensor&)>& go) {
    std::vector<std::vector<float>> results;
    for (Backend* b : {static_cast<Backend*>(&backend), static_cast<Backend*>(&reference)}) {
      std::vector<std::unique_ptr<Memory>> memory;
      std::vector<Tensor> tensors;
      for (const Shape& shape : {x_shape, w_shape, y_shape}) {
        const auto values = normals(shape.count(), tensors.size());
        memory.push_back(b->allocate(values.size() * sizeof(BFloat16)));
        tensors.emplace_back(memory.back()->data(), DType::bf16, shape);
        for (size_t i = 0; i < values.size(); ++i) tensors.back().as<BFloat16>()[i] = BFloat16(values[i]);
      }
      const auto dw_memory = b->allocate(static_cast<size_t>(w_shape.count()) * sizeof(float));
      const Tensor dw(dw_memory->data(), DType::f32, w_shape);
      std::memset(dw.data, 0, dw.bytes());
      const Tensor out = go(*b, tensors[0], tensors[1], tensors[2], dw);
      results.emplace_back();
      for (int64_t i = 0; i < out.count(); ++i)
        results.back().push_back(out.dtype == DType::bf16 ? static_cast<float>(out.as<BFloat16>()[i])
                                                          : out.as<float>()[i]);
    }
    double squares = 0;
    for (const float v : results[1]) squares += static_cast<double>(v) * v;
    const double rms = std::sqrt(squares / static_cast<double>(results[1].size()));
    for (size_t i = 0; i < results[0].size(); ++i) {
      const double difference = std::abs(static_cast<double>(results[0][i]) - results[1][i]);
      REQUIRE(difference <= 0x1p-8 * 2 * std::abs(static_cast<double>(results[1][i])) + 1.6e-5 * rms);
    }
  };
  compare([](Backend& b, const Tensor& x, const Tensor& w, const Tensor& y, const Tensor&) {
    const ConvForward op{x, w, {}, y, kSpatial, 1};
    run(b, op, *prepared(b, op));
    return y;
  });
  compare([](Backend& b, const Tensor& x, const Tensor& w, const Tensor& y, const Tensor&) {
    const ConvBackwardData op{y, w, x, kSpatial, 1};
    run(b, op, *prepared(b, op));
    return x;
  });
  compare([](Backend& b, const Tensor& x, const Tensor&, const Tensor& y, const Tensor& dw) {
    const ConvBackwardWeights op{x, y, dw, {}, kSpatial};
    run(b, op, *prepared(b, op));
    return dw;
  });
}
