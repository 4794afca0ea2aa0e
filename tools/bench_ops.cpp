#include <chrono>

#include "bench.h"
#include "core/backend_decorator.h"

namespace laban::tools {
namespace {

double conv_gflop(const Shape& x, const Shape& y, const Window& window) {
  return 2e-9 * static_cast<double>(y.count() * window.volume() * x.c);
}
double linear_gflop(const Shape& x, const Shape& w) { return 2e-9 * static_cast<double>(x.n * w.count()); }

/// How an op is listed.
struct OpLabel {
  std::string name, geometry;
  double gflop = 0;
};

OpLabel conv_label(const char* name, const Shape& x, const Shape& y, const Window& window) {
  return {name, text(window, ", ", x, " -> ", y.c), conv_gflop(x, y, window)};
}

OpLabel label(const ConvForward& op) { return conv_label("conv.forward", op.x.shape, op.y.shape, op.window); }
OpLabel label(const ConvBackwardData& op) {
  return conv_label("conv.backward_data", op.dx.shape, op.dy.shape, op.window);
}
OpLabel label(const ConvBackwardWeights& op) {
  return conv_label("conv.backward_weights", op.x.shape, op.dy.shape, op.window);
}
OpLabel label(const BatchNormTrain& op) { return {"batch_norm.train", text(op.x.shape)}; }
OpLabel label(const BatchNormInfer& op) { return {"batch_norm.infer", text(op.x.shape)}; }
OpLabel label(const BatchNormBackward& op) { return {"batch_norm.backward", text(op.x.shape)}; }
OpLabel label(const InverseStd&) { return {"inverse_std", ""}; }
OpLabel label(const ReluForward& op) { return {"relu.forward", text(op.x.shape)}; }
OpLabel label(const ReluBackward& op) { return {"relu.backward", text(op.y.shape)}; }
OpLabel label(const Accumulate& op) { return {"accumulate", text(op.into.shape)}; }
OpLabel label(const Cast& op) { return {"cast", text(op.from.shape)}; }
OpLabel label(const MaxPoolForward& op) { return {"max_pool.forward", text(op.x.shape)}; }
OpLabel label(const MaxPoolBackward& op) { return {"max_pool.backward", text(op.dx.shape)}; }
OpLabel label(const GlobalAvgPoolForward& op) { return {"global_avg_pool.forward", text(op.x.shape)}; }
OpLabel label(const GlobalAvgPoolBackward& op) { return {"global_avg_pool.backward", text(op.dx.shape)}; }
OpLabel label(const Dropout& op) { return {"dropout", text(op.x.shape)}; }
OpLabel label(const SubsampleForward& op) { return {"subsample.forward", text(op.x.shape)}; }
OpLabel label(const SubsampleBackward& op) { return {"subsample.backward", text(op.dx.shape)}; }
OpLabel label(const LinearForward& op) {
  return {"linear.forward", text(op.w.shape), linear_gflop(op.x.shape, op.w.shape)};
}
OpLabel label(const LinearBackwardData& op) {
  return {"linear.backward_data", text(op.w.shape), linear_gflop(op.dx.shape, op.w.shape)};
}
OpLabel label(const LinearBackwardWeights& op) {
  return {"linear.backward_weights", text(op.dw.shape), linear_gflop(op.x.shape, op.dw.shape)};
}
OpLabel label(const SoftmaxCrossEntropy&) { return {"cross_entropy", ""}; }
OpLabel label(const Softmax&) { return {"softmax", ""}; }
OpLabel label(const SgdStep&) { return {"sgd", ""}; }
OpLabel label(const AdamStep&) { return {"adam", ""}; }
OpLabel label(const SumOfSquares&) { return {"sum_of_squares", ""}; }
OpLabel label(const SetZero&) { return {"set_zero", ""}; }

/// What the timers below write to.
struct Ledger {
  bool by_shape = false, open = false;
  std::map<std::string, OpTime> times;

  void book(const OpLabel& label, double seconds) {
    if (!open) return;
    OpTime& time =
        times[by_shape && !label.geometry.empty() ? label.name + ": " + label.geometry : label.name];
    ++time.runs;
    time.seconds += seconds;
    time.gflop += label.gflop;
  }
};

// One level of inheritance an op, as in core/backend_decorator.h.
template <class List>
class Timers;
template <>
class Timers<decorator::OpList<>> : public BackendDecorator {
 public:
  Timers(Backend& inner, Ledger& ledger) : BackendDecorator(inner), ledger_(ledger) {}

 protected:
  Ledger& ledger_;
};
template <class Op, class... Rest>
class Timers<decorator::OpList<Op, Rest...>> : public Timers<decorator::OpList<Rest...>> {
 public:
  using Timers<decorator::OpList<Rest...>>::Timers;
  using Timers<decorator::OpList<Rest...>>::run;
  void run(const Op& op, Scratch scratch) override {
    using Clock = std::chrono::steady_clock;
    const auto start = Clock::now();
    this->inner().run(op, scratch);
    this->inner().synchronize();
    this->ledger_.book(label(op), std::chrono::duration<double>(Clock::now() - start).count());
  }
};

}  // namespace

std::map<std::string, OpTime> bench_ops(const BenchSettings& settings, bool by_shape, StepResult& step) {
  Ledger ledger;
  ledger.by_shape = by_shape;
  step = bench_step(
      settings,
      [&](Backend& backend) -> std::unique_ptr<Backend> {
        return std::make_unique<Timers<decorator::AllOps>>(backend, ledger);
      },
      [&](int64_t number) { ledger.open = number >= 0; });
  return ledger.times;
}

}  // namespace laban::tools
