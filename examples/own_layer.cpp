// A layer of your own: squeeze-and-excitation (Hu et al. 2018), with its backward pass written by hand, checked against
// difference quotients, and trained within a small network.
//
//   p[n,c] = 1/(T H W) sum_{t,h,w} x[n,t,h,w,c]                  squeeze: what is in this channel, on the whole?
//   s      = sigmoid(W2 relu(W1 p + b1) + b2)                    excite: how much of each channel is wanted?
//   y[n,t,h,w,c] = s[n,c] x[n,t,h,w,c]
//
// x reaches y in two ways, so its gradient has two terms:
//
//   dL/dx[n,t,h,w,c] = s[n,c] dL/dy[n,t,h,w,c]                   straight on,
//                    + the gradient of p as a function of x      and by way of s,
//
// where the second one comes from the layers of the gate: their chain rule is already written. It starts with
//
//   dL/ds[n,c] = sum_{t,h,w} dL/dy[n,t,h,w,c] x[n,t,h,w,c],      dL/dz = dL/ds s (1 - s)    for s = sigmoid(z).
#include <cmath>
#include <cstdio>

#include "cpu/cpu_backend.h"
#include "layers/batchnorm3d.h"
#include "layers/conv3d.h"
#include "layers/global_avgpool.h"
#include "layers/linear.h"
#include "layers/relu.h"
#include "layers/sequential.h"
#include "layers/softmax_cross_entropy.h"
#include "models/gradcheck.h"
#include "moving_squares.h"
#include "train/optimizer.h"

namespace {

using namespace laban;

class SqueezeExcitation : public Layer {
 public:
  SqueezeExcitation(std::string name, int64_t channels, int64_t squeezed)
      : Layer(std::move(name)), gate_(this->name()) {
    gate_.add<GlobalAvgPool>(this->name() + ".pool");
    gate_.add<Linear>(this->name() + ".squeeze", channels, squeezed);
    gate_.add<Relu>(this->name() + ".relu");
    gate_.add<Linear>(this->name() + ".excite", squeezed, channels);
  }

  Value forward(StepContext& ctx, const Value& x) override {
    clear_saved();
    Value s = gate_.forward(ctx, x);
    Value y = ctx.take(x.shape());
    // The first pass over a shape is a dry run, in which memory is planned and there are no numbers yet.
    if (!ctx.arena.planning()) with_type(ctx.compute, [&]<class T>(T) { scale<T>(x, s, y); });
    if (saves(ctx)) x_ = x, s_ = s;
    return y;
  }

  Value backward(StepContext& ctx, Value dy, bool need_dx) override {
    require_forward(!x_.empty());
    const Value x = std::move(x_), s = std::move(s_);
    Value dz = ctx.take(s.shape());
    Value dx = !need_dx ? Value() : dy.unique() ? dy : ctx.take(dy.shape());
    if (!ctx.arena.planning())
      with_type(ctx.compute, [&]<class T>(T) { scale_backward<T>(x, s, dy, dz, dx); });
    return need_dx ? gate_.backward_onto(ctx, std::move(dz), std::move(dx))
                   : gate_.backward(ctx, std::move(dz), false);
  }

  void clear_saved() override { gate_.clear_saved(), x_.reset(), s_.reset(); }
  Shape output_shape(const Shape& x) const override { return gate_.output_shape(x), x; }
  void collect(ParameterList& list) override { gate_.collect(list); }
  bool trainable() const override { return gate_.trainable(); }
  void describe(const Shape& x, std::vector<LayerRow>& rows) const override {
    gate_.describe(x, rows);
    rows.push_back({.name = name(), .kind = "scale channels", .output = x, .activations = x.count()});
  }

 private:
  /// One source for f64, in which gradients are checked, and f32, in which networks are trained. (The layers of the library
  /// leave even this to the backend's ops, and so run on a GPU as well.)
  template <class Do>
  static void with_type(DType dtype, Do work) {
    if (dtype == DType::f64) return work(double{});
    if (dtype == DType::f32) return work(float{});
    throw Error("SqueezeExcitation computes in f32 and f64 only", "");
  }

  /// z becomes s = sigmoid(z), and y = s x.
  template <class T>
  static void scale(const Value& x, const Value& z, const Value& y) {
    const Shape& shape = x.shape();
    T* s = z.tensor().as<T>();
    for (int64_t i = 0; i < z.shape().count(); ++i) s[i] = 1 / (1 + std::exp(-s[i]));
    const int64_t places = shape.t * shape.h * shape.w;
    for (int64_t i = 0; i < shape.count(); ++i)
      y.tensor().as<T>()[i] = s[i / (places * shape.c) * shape.c + i % shape.c] * x.tensor().as<T>()[i];
  }

  /// dz from dy, and where wanted dx = s dy, which may take the place of dy.
  template <class T>
  static void scale_backward(const Value& x, const Value& s, const Value& dy, const Value& dz,
                             const Value& dx) {
    const Shape& shape = x.shape();
    const int64_t places = shape.t * shape.h * shape.w;
    for (int64_t n = 0; n < shape.n; ++n)
      for (int64_t c = 0; c < shape.c; ++c) {
        const T gate = s.tensor().as<T>()[n * shape.c + c];
        T sum = 0;
        for (int64_t place = 0; place < places; ++place) {
          const int64_t i = (n * places + place) * shape.c + c;
          const T g = dy.tensor().as<T>()[i];
          sum += g * x.tensor().as<T>()[i];
          if (dx) dx.tensor().as<T>()[i] = gate * g;
        }
        dz.tensor().as<T>()[n * shape.c + c] = sum * gate * (1 - gate);
      }
  }

  Sequential gate_;  // from x to z, before the sigmoid
  Value x_, s_;      // saved for backward
};

/// Convolution, batch norm and ReLU, squeeze-and-excitation, pool, linear layer.
std::unique_ptr<Layer> small_network() {
  constexpr int64_t kChannels = 12;
  auto network = std::make_unique<Sequential>("network");
  network->add<Conv3d>("conv",
                       Conv3dOptions{.in = 3, .out = kChannels, .window = {{3, 3, 3}, {1, 2, 2}, {1, 1, 1}}});
  network->add<BatchNorm3d>("norm", BatchNorm3dOptions{.channels = kChannels, .relu = true});
  network->add<SqueezeExcitation>("se", kChannels, kChannels / 2);
  network->add<GlobalAvgPool>("pool");
  network->add<Linear>("fc", kChannels, examples::kDirections);
  return network;
}

/// Every gradient against a difference quotient, in f64. True where all agree.
bool check_gradients() {
  const auto layer = [] { return std::make_unique<SqueezeExcitation>("se", 4, 3); };
  ReferenceBackend backend;
  bool pass = true;
  for (const GradcheckCase& check :
       {GradcheckCase{.layer = "squeeze_excitation", .variant = "", .make = layer, .input = {2, 4, 3, 4, 5}},
        GradcheckCase{.layer = "network",
        .variant = "",
        .make = small_network,
        .input = {2, 3, 4, 8, 8},
        .directions = 4}})
    for (const GradcheckRow& row : gradcheck(backend, check)) {
      std::printf("%-20s %-18s error %.1e %s\n", row.layer.c_str(), row.tensor.c_str(), row.error,
                  row.pass() ? "" : "WRONG");
      pass = pass && row.pass();
    }
  return pass;
}

/// Trains the network on moving squares; returns the mean loss of the last ten steps. (laban::Network does this for networks
/// that a ModelSpec describes; here are its parts.)
double train(int steps) {
  const Shape shape{.n = 16, .c = 3, .t = 4, .h = 16, .w = 16};
  CpuBackend backend;
  const std::unique_ptr<Layer> network = small_network();
  ParameterList parameters;
  network->collect(parameters);
  ParameterStore store(backend, DType::f32, parameters);
  store.initialize(/*seed=*/1);
  Optimizer optimizer(store, {.kind = OptimizerKind::adamw, .weight_decay = 0});
  SoftmaxCrossEntropyLoss loss;

  // On this backend tensors may lie in a vector: its memory is the host's.
  std::vector<float> clips, losses(static_cast<size_t>(shape.n));
  std::vector<int32_t> labels;
  Rng rng(/*seed=*/1, Purpose::test);
  Arena arena(backend);
  const auto step = [&] {
    arena.begin_pass();
    StepContext ctx{.backend = backend, .arena = arena, .weights_version = store.version()};
    ctx.input_gradient = false;
    const Value logits = network->forward(ctx, Value::external(Tensor(clips.data(), shape)));
    const Value of_each =
        loss.forward(ctx, logits, Value::external(Tensor(labels.data(), Shape::vector(shape.n))), 0,
                     1.0 / static_cast<double>(shape.n));
    if (!arena.planning()) backend.download(losses.data(), of_each.tensor());
    network->backward(ctx, loss.backward(), false);
  };

  examples::draw_squares(shape, rng, clips, labels);
  step();  // the dry run: finds out which memory a step needs
  arena.commit();
  double mean = 0;
  for (int i = 0; i < steps; ++i) {
    examples::draw_squares(shape, rng, clips, labels);
    store.zero_gradients();
    step();
    store.count_batch();
    optimizer.step(/*learning_rate=*/0.01);
    double sum = 0;
    for (const float value : losses) sum += static_cast<double>(value) / static_cast<double>(shape.n);
    if (i % 20 == 0) std::printf("step %3d: loss %.3f\n", i, sum);
    if (i >= steps - 10) mean += sum / 10;
  }
  return mean;
}

}  // namespace

int main() try {
  if (!check_gradients()) return 1;
  const double loss = train(200);
  std::printf("at the end: loss %.3f; by guessing it would be %.3f\n", loss,
              std::log(static_cast<double>(examples::kDirections)));
  return loss < 0.5 ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "own_layer: %s\n", error.what());
  return 1;
}
