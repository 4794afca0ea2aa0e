// The contract of layers/layer.h, for every layer: order of calls, what is saved, what is overwritten.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/rng.h"
#include "layers/conv2plus1d.h"
#include "layers/dropout.h"
#include "layers/global_avgpool.h"
#include "layers/linear.h"
#include "layers/maxpool3d.h"
#include "layers/relu.h"
#include "layers/residual_block.h"
#include "layers/softmax_cross_entropy.h"
#include "layers/subsample.h"
#include "reference/reference_backend.h"

using namespace laban;

namespace {

struct Case {
  std::string name;
  std::function<std::unique_ptr<Layer>()> make;
  Shape input{2, 4, 3, 5, 4};
};

std::unique_ptr<ResidualBlock> identity_block() {
  auto main = std::make_unique<Conv3d>("conv", Conv3dOptions{.in = 4, .out = 4});
  auto last = std::make_unique<BatchNorm3d>("last", BatchNorm3dOptions{.channels = 4, .relu = true});
  return std::make_unique<ResidualBlock>("block", std::move(main), std::move(last), nullptr);
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {"conv3d",
       [] { return std::make_unique<Conv3d>("l", Conv3dOptions{.in = 4, .out = 3, .bias = true}); }},
      {"conv2plus1d",
       [] {
         return std::make_unique<Conv2Plus1d>(
             "l",
             Conv2Plus1dOptions{.in = 4, .middle = 3, .out = 2, .window = {{3, 3, 3}, {1, 2, 2}, {1, 1, 1}}});
       }},
      {"batchnorm3d",
       [] { return std::make_unique<BatchNorm3d>("l", BatchNorm3dOptions{.channels = 4, .relu = true}); }},
      {"relu", [] { return std::make_unique<Relu>("l"); }},
      {"maxpool3d",
       [] {
         return std::make_unique<MaxPool3d>("l", Window{{3, 3, 3}, {2, 2, 2}, {1, 1, 1}});
       }},
      {"global_avgpool", [] { return std::make_unique<GlobalAvgPool>("l"); }},
      {"linear", [] { return std::make_unique<Linear>("l", 6, 3); }, Shape::matrix(3, 6)},
      {"dropout", [] { return std::make_unique<DropoutLayer>("l", 0.5); }},
      {"subsample",
       [] {
         return std::make_unique<Subsample>("l", 4, 6, std::array<int64_t, 3>{2, 2, 2});
       }},
      {"residual_block", [] { return identity_block(); }},
      {"sequential",
       [] {
         auto both = std::make_unique<Sequential>("l");
         both->add<Relu>("a");
         both->add<Conv3d>("b", Conv3dOptions{.in = 4, .out = 3});
         return both;
       }},
  };
  return all;
}

/// A layer on the reference backend in f64 with its own arenas.
struct Rig {
  explicit Rig(const Case& which) : input(which.input), layer(which.make()) {
    ParameterList list;
    layer->collect(list);
    store = std::make_unique<ParameterStore>(backend, DType::f64, list);
    store->initialize(1);
    Rng rng(1, Purpose::test);
    x.resize(static_cast<size_t>(input.count()));
    for (double& v : x) v = rng.normal();
  }
  /// Runs `pass` dry, then really.
  void run(Mode mode, const std::function<void(StepContext&, const Value&)>& pass) {
    Arena arena(backend);
    arena.poison_released(true);
    for (const bool dry : {true, false}) {
      arena.begin_pass();
      try {
        StepContext ctx{.backend = backend, .arena = arena, .mode = mode, .compute = DType::f64};
        pass(ctx, Value::external(Tensor(x.data(), input)));
      } catch (...) {
        layer->clear_saved();
        arena.abandon_pass();
        throw;
      }
      if (dry) arena.commit();
    }
  }
  std::vector<double> gradients() const {
    const Tensor flat = store->grads();
    return {flat.as<double>(), flat.as<double>() + flat.count()};
  }

  Shape input;
  ReferenceBackend backend;
  std::unique_ptr<Layer> layer;
  std::unique_ptr<ParameterStore> store;
  std::vector<double> x;
};

Value cotangent(StepContext& ctx, const Value& y) {
  Value dy = ctx.take(y.shape(), y.tensor().dtype);
  if (!ctx.arena.planning())
    for (int64_t i = 0; i < y.shape().count(); ++i)
      dy.tensor().as<double>()[i] = std::sin(static_cast<double>(i));
  return dy;
}

}  // namespace

TEST_CASE("backward needs a matching forward, and there is one backward per forward") {
  for (const Case& which : cases()) {
    CAPTURE(which.name);
    Rig rig(which);
    Layer& layer = *rig.layer;
    // None at all.
    CHECK_THROWS_AS(rig.run(Mode::train,
                            [&](StepContext& ctx, const Value& x) {
                              layer.backward(ctx, ctx.take(layer.output_shape(x.shape())), true);
                            }),
                    std::logic_error);
    // Twice.
    CHECK_THROWS_AS(rig.run(Mode::train,
                            [&](StepContext& ctx, const Value& x) {
                              const Value y = layer.forward(ctx, x);
                              layer.backward(ctx, cotangent(ctx, y), true);
                              layer.backward(ctx, cotangent(ctx, y), true);
                            }),
                    std::logic_error);
    // After an evaluation, which saves nothing, even where a training forward came before it.
    CHECK_THROWS_AS(rig.run(Mode::train,
                            [&](StepContext& ctx, const Value& x) {
                              layer.forward(ctx, x);
                              ctx.mode = Mode::evaluate;
                              const Value y = layer.forward(ctx, x);
                              layer.backward(ctx, cotangent(ctx, y), true);
                            }),
                    std::logic_error);
    // After clear_saved().
    CHECK_THROWS_AS(rig.run(Mode::train,
                            [&](StepContext& ctx, const Value& x) {
                              const Value y = layer.forward(ctx, x);
                              layer.clear_saved();
                              layer.backward(ctx, cotangent(ctx, y), true);
                            }),
                    std::logic_error);
    // And then it still works, in both modes that allow it.
    for (const Mode mode : {Mode::train, Mode::frozen})
      CHECK_NOTHROW(rig.run(mode, [&](StepContext& ctx, const Value& x) {
        const Value y = layer.forward(ctx, x);
        CHECK(y.shape() == layer.output_shape(x.shape()));
        const Value dx = layer.backward(ctx, cotangent(ctx, y), true);
        CHECK(dx.shape() == x.shape());
      }));
  }
}

TEST_CASE("without need_dx: no dx, the same parameter gradients, and nothing stays saved") {
  for (const Case& which : cases()) {
    CAPTURE(which.name);
    Rig with(which), without(which);
    for (const bool need_dx : {true, false}) {
      Rig& rig = need_dx ? with : without;
      rig.run(Mode::train, [&](StepContext& ctx, const Value& x) {
        const Value y = rig.layer->forward(ctx, x);
        const Value dx = rig.layer->backward(ctx, cotangent(ctx, y), need_dx);
        CHECK(dx.empty() == !need_dx);
      });  // the next begin_pass() throws where a Value is still alive
    }
    CHECK(with.gradients() == without.gradients());
  }
}

TEST_CASE("forward leaves x, backward leaves a shared dy as they were") {
  for (const Case& which : cases()) {
    CAPTURE(which.name);
    Rig rig(which);
    const std::vector<double> before = rig.x;
    rig.run(Mode::train, [&](StepContext& ctx, const Value& x) {
      Value own = ctx.take(x.shape());  // not external, and not shared: nothing but the contract protects it
      if (!ctx.arena.planning()) std::copy(rig.x.begin(), rig.x.end(), own.tensor().as<double>());
      const Value y = rig.layer->forward(ctx, own);
      const Value dy = cotangent(ctx, y);
      rig.layer->backward(ctx, dy, true);
      if (ctx.arena.planning()) return;
      for (size_t i = 0; i < before.size(); ++i) CHECK(own.tensor().as<double>()[i] == before[i]);
      for (int64_t i = 0; i < dy.shape().count(); ++i)
        CHECK(dy.tensor().as<double>()[i] == std::sin(static_cast<double>(i)));
    });
  }
}

TEST_CASE("a residual block's backward works in dy's place where it may") {
  const Case which{"block", [] { return identity_block(); }};
  const auto peak = [&](bool share) {
    Rig rig(which);
    Arena arena(rig.backend);
    arena.begin_pass();
    {
      StepContext ctx{.backend = rig.backend, .arena = arena, .mode = Mode::train, .compute = DType::f64};
      Value x = ctx.take(rig.input);
      Value y = rig.layer->forward(ctx, x);
      Value dy = ctx.take(y.shape());
      const Value other = share ? dy : Value();
      y.reset();
      x.reset();
      rig.layer->backward(ctx, std::move(dy), true);
    }
    return arena.peak_bytes();
  };
  const size_t tensor = static_cast<size_t>(which.input.count()) * 8;
  CHECK(peak(true) >= peak(false) + tensor);
}

TEST_CASE("inputs that do not fit are refused with the layer's name") {
  const Conv3d conv("layer1.0.conv1", {.in = 4, .out = 3, .window = {{3, 3, 3}, {1, 1, 1}, {0, 1, 1}}});
  CHECK_THROWS_WITH_AS(
      conv.output_shape({1, 5, 4, 4, 4}),
      doctest::Contains("layer1.0.conv1: the convolution takes 4 channels, but its input has 5"), Error);
  CHECK_THROWS_WITH_AS(conv.output_shape({1, 4, 2, 4, 4}), doctest::Contains("2 frames of 4x4"), Error);
  CHECK(conv.output_shape({1, 4, 3, 4, 4}) == Shape{1, 3, 1, 4, 4});
  const MaxPool3d pool("maxpool", Window{{1, 3, 3}, {1, 2, 2}, {0, 0, 0}});
  CHECK_THROWS_WITH_AS(pool.output_shape({1, 4, 2, 2, 9}), doctest::Contains("maxpool"), Error);
  CHECK_THROWS_AS(BatchNorm3d("n", {.channels = 3}).output_shape({1, 4, 2, 2, 2}), Error);
  CHECK_THROWS_AS(Linear("fc", 3, 2).output_shape(Shape::matrix(2, 4)), Error);
  CHECK_THROWS_AS(Subsample("s", 3, 4, {1, 1, 1}).output_shape({1, 4, 2, 2, 2}), Error);
  CHECK_THROWS_WITH_AS(DropoutLayer("dropout", 1.0), doctest::Contains("dropout must be in [0, 1)"), Error);
  // A shortcut that does not meet its main path.
  auto main = std::make_unique<Conv3d>(
      "conv", Conv3dOptions{.in = 4, .out = 4, .window = {{1, 1, 1}, {2, 2, 2}, {}}});
  const ResidualBlock block(
      "layer2.0", std::move(main),
      std::make_unique<BatchNorm3d>("last", BatchNorm3dOptions{.channels = 4, .relu = true}), nullptr);
  CHECK_THROWS_WITH_AS(block.output_shape({1, 4, 4, 4, 4}),
                       doctest::Contains("layer2.0: the main path gives"), Error);
}

TEST_CASE("the loss: backward once, after a forward that saved") {
  ReferenceBackend backend;
  Arena arena(backend);
  arena.begin_pass();
  {
    StepContext ctx{.backend = backend, .arena = arena, .mode = Mode::train, .compute = DType::f64};
    SoftmaxCrossEntropyLoss loss;
    CHECK_THROWS_AS(loss.backward(), std::logic_error);
    const Value logits = ctx.take(Shape::matrix(2, 3), DType::f64),
                labels = ctx.take(Shape::vector(2), DType::i32);
    loss.forward(ctx, logits, labels, 0, 1);
    CHECK(loss.backward().shape() == logits.shape());
    CHECK_THROWS_AS(loss.backward(), std::logic_error);
    ctx.mode = Mode::evaluate;
    loss.forward(ctx, logits, labels, 0, 1);
    CHECK_THROWS_AS(loss.backward(), std::logic_error);
  }
  arena.abandon_pass();
}

namespace {

/// A backend of which one op always fails, as a card's may.
struct FailingBackend : ReferenceBackend {
  using ReferenceBackend::run;
  void run(const ConvForward&, Scratch) override {
    throw Error("cudnnBackendExecute: out of order", "Turn it off and on again.");
  }
};

}  // namespace

TEST_CASE("an op's failure names the layer, and keeps its advice") {
  FailingBackend backend;
  auto outer = std::make_unique<Sequential>("layer1.0");
  outer->add<Relu>("layer1.0.relu");
  outer->add<Conv3d>("layer1.0.conv1", Conv3dOptions{.in = 4, .out = 3});
  ParameterList list;
  outer->collect(list);
  ParameterStore store(backend, DType::f64, std::move(list));
  std::vector<double> pixels(2 * 4 * 3 * 5 * 4);
  const Value x = Value::external(Tensor(pixels.data(), {2, 4, 3, 5, 4}));
  Arena arena(backend);
  StepContext ctx{.backend = backend, .arena = arena, .compute = DType::f64};
  arena.begin_pass();
  outer->forward(ctx, x);  // dry: the op is only prepared
  outer->clear_saved();
  arena.commit();
  arena.begin_pass();
  try {
    outer->forward(ctx, x);
    FAIL("nothing was thrown");
  } catch (const Error& error) {
    CHECK(
        error.what() ==
        std::string("layer layer1.0.conv1: cudnnBackendExecute: out of order\n  Turn it off and on again."));
    CHECK(error.sentence() == "layer layer1.0.conv1: cudnnBackendExecute: out of order");
    CHECK(error.advice() == "Turn it off and on again.");
  }
  outer->clear_saved();
  arena.abandon_pass();
}
