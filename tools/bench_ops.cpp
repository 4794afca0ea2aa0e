#include <algorithm>
#include <limits>
#include <vector>

#include "bench.h"
#include "core/backend_decorator.h"
#include "core/rng.h"

namespace laban::tools {
namespace {

double conv_gflop(const Shape& x, const Shape& y, const Window& window) {
  return 2e-9 * static_cast<double>(y.count() * window.volume() * x.c);
}
double linear_gflop(const Shape& x, const Shape& w) { return 2e-9 * static_cast<double>(x.n * w.count()); }

/// What must travel between memory and the processor: each tensor as often as it is listed.
double gbytes(std::initializer_list<Tensor> tensors) {
  double sum = 0;
  for (const Tensor& tensor : tensors)
    if (tensor) sum += 1e-9 * static_cast<double>(tensor.bytes());
  return sum;
}

/// How an op is listed, and the least that it takes.
struct OpLabel {
  std::string name, geometry;
  double gbyte = 0, gflop = 0;
};

OpLabel conv_label(const char* name, const Tensor& x, const Tensor& w, const Tensor& y,
                   const Window& window) {
  return {name, text(window, ", ", x.shape, " -> ", y.shape.c), gbytes({x, w, y}),
          conv_gflop(x.shape, y.shape, window)};
}

OpLabel label(const ConvForward& op) { return conv_label("conv.forward", op.x, op.w, op.y, op.window); }
OpLabel label(const ConvBackwardData& op) {
  return conv_label("conv.backward_data", op.dx, op.w, op.dy, op.window);
}
OpLabel label(const ConvBackwardWeights& op) {
  return conv_label("conv.backward_weights", op.x, op.dw, op.dy, op.window);
}
// Batch norm must see all of its input before it can write the first output: twice the reading.
OpLabel label(const BatchNormTrain& op) {
  return {"batch_norm.train", text(op.x.shape), gbytes({op.x, op.x, op.residual, op.y})};
}
OpLabel label(const BatchNormInfer& op) {
  return {"batch_norm.infer", text(op.x.shape), gbytes({op.x, op.residual, op.y})};
}
OpLabel label(const BatchNormBackward& op) {
  const Tensor y = op.relu ? op.y : Tensor();
  // The second walk needs the gradient behind the ReLU: from dresidual where the first has left it there.
  const double again = op.dresidual ? gbytes({op.dresidual, op.dresidual}) : gbytes({op.dy, y});
  return {"batch_norm.backward", text(op.x.shape), gbytes({op.x, op.x, op.dy, y, op.dx}) + again};
}
OpLabel label(const InverseStd&) { return {"inverse_std", ""}; }
OpLabel label(const ReluForward& op) { return {"relu.forward", text(op.x.shape), gbytes({op.x, op.y})}; }
OpLabel label(const ReluBackward& op) {
  return {"relu.backward", text(op.y.shape), gbytes({op.y, op.dy, op.dx})};
}
OpLabel label(const Accumulate& op) {
  return {"accumulate", text(op.into.shape), gbytes({op.from, op.into, op.into})};
}
OpLabel label(const Cast& op) { return {"cast", text(op.from.shape), gbytes({op.from, op.to})}; }
OpLabel label(const MaxPoolForward& op) {
  return {"max_pool.forward", text(op.x.shape), gbytes({op.x, op.y, op.taps})};
}
OpLabel label(const MaxPoolBackward& op) {
  return {"max_pool.backward", text(op.dx.shape), gbytes({op.dy, op.taps, op.dx})};
}
OpLabel label(const GlobalAvgPoolForward& op) {
  return {"global_avg_pool.forward", text(op.x.shape), gbytes({op.x, op.y})};
}
OpLabel label(const GlobalAvgPoolBackward& op) {
  return {"global_avg_pool.backward", text(op.dx.shape), gbytes({op.dy, op.dx})};
}
OpLabel label(const Dropout& op) { return {"dropout", text(op.x.shape), gbytes({op.x, op.y})}; }
OpLabel label(const SubsampleForward& op) {
  return {"subsample.forward", text(op.x.shape), gbytes({op.y, op.y})};
}
OpLabel label(const SubsampleBackward& op) {
  return {"subsample.backward", text(op.dx.shape), gbytes({op.dy, op.dx})};
}
OpLabel label(const ClipsFromFrames& op) {
  return {"clips_from_frames", text(op.y.shape), gbytes({op.bytes, op.y})};
}
OpLabel label(const MixClips& op) { return {"mix_clips", text(op.x.shape), gbytes({op.x, op.x, op.y})}; }
OpLabel label(const LinearForward& op) {
  return {"linear.forward", text(op.w.shape), gbytes({op.x, op.w, op.y}),
          linear_gflop(op.x.shape, op.w.shape)};
}
OpLabel label(const LinearBackwardData& op) {
  return {"linear.backward_data", text(op.w.shape), gbytes({op.dy, op.w, op.dx}),
          linear_gflop(op.dx.shape, op.w.shape)};
}
OpLabel label(const LinearBackwardWeights& op) {
  return {"linear.backward_weights", text(op.dw.shape), gbytes({op.x, op.dy, op.dw, op.dw}),
          linear_gflop(op.x.shape, op.dw.shape)};
}
OpLabel label(const SoftmaxCrossEntropy& op) {
  return {"cross_entropy", "", gbytes({op.logits, op.dlogits})};
}
OpLabel label(const Softmax& op) { return {"softmax", "", gbytes({op.logits, op.probabilities})}; }
OpLabel label(const SgdStep& op) {
  const OptimizerCommon& c = op.common;
  return {"sgd", "", gbytes({c.weights, c.weights, c.grads, c.working, op.velocity, op.velocity})};
}
OpLabel label(const AdamStep& op) {
  const OptimizerCommon& c = op.common;
  return {"adam", "", gbytes({c.weights, c.weights, c.grads, c.working, op.m, op.m, op.v, op.v})};
}
OpLabel label(const MovingAverage& op) {
  return {"moving_average", "", gbytes({op.average, op.average, op.values})};
}
OpLabel label(const SumOfSquares& op) { return {"sum_of_squares", "", gbytes({op.x})}; }
OpLabel label(const SetZero& op) { return {"set_zero", "", gbytes({op.x})}; }

/// What the timers below write to.
struct Ledger {
  bool by_shape = false;
  std::unique_ptr<OpClock> clock;
  std::vector<OpLabel> labels;  // of the ops since the last settle(); two marks each
  std::map<std::string, OpTime> times;
  std::vector<double> steps;  // seconds of each that counts, from its first op to the end of its last

  /// Reads the clock and, where the step counts, books each op's time.
  void settle(bool counts) {
    const std::vector<double> moments = clock->take();
    if (counts) steps.push_back(moments.back());
    for (size_t i = 0; counts && i < labels.size(); ++i) {
      const OpLabel& label = labels[i];
      OpTime& time =
          times[by_shape && !label.geometry.empty() ? label.name + ": " + label.geometry : label.name];
      ++time.runs;
      time.seconds += moments[2 * i + 1] - moments[2 * i];
      time.gflop += label.gflop;
      time.gbyte += label.gbyte;
    }
    labels.clear();
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
    this->ledger_.clock->mark();
    this->inner().run(op, scratch);
    this->ledger_.clock->mark();
    this->ledger_.labels.push_back(label(op));
  }
};

/// The fastest of ten runs.
template <class Op>
double fastest(Backend& backend, const Op& op) {
  backend.prepare(op);
  const size_t bytes = backend.scratch_bytes(op);
  const auto memory = bytes ? backend.allocate(bytes) : nullptr;
  const Scratch scratch{memory ? memory->data() : nullptr, bytes};
  backend.run(op, scratch);
  const std::unique_ptr<OpClock> clock = backend.clock();
  constexpr size_t kRuns = 10;
  clock->mark();
  for (size_t i = 0; i < kRuns; ++i) {
    backend.run(op, scratch);
    clock->mark();
  }
  const std::vector<double> moments = clock->take();
  double best = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < kRuns; ++i) best = std::min(best, moments[i + 1] - moments[i]);
  return best;
}

/// What this machine does at best: copying floats that no cache holds, and a convolution that is one large
/// matrix product. Nothing for the reference backend, which is not about speed.
Peaks measure_peaks(Backend& backend, const BenchSettings& settings) {
  if (settings.device == "reference") return {};
  const bool gpu = settings.device == "cuda";
  const DType compute = settings.precision == "bf16" ? DType::bf16 : DType::f32;
  std::vector<float> values(size_t{1} << 20);
  Rng rng(1, Purpose::test);
  for (float& value : values) value = static_cast<float>(rng.normal());
  const auto memory = backend.allocate(values.size() * sizeof(float));
  const Tensor random(memory->data(), DType::f32, Shape::vector(static_cast<int64_t>(values.size())),
                      backend.device());
  backend.upload(random, values.data());
  const auto make = [&](std::vector<std::unique_ptr<Memory>>& owners, Shape shape, DType dtype) {
    Tensor tensor(nullptr, dtype, shape, backend.device());
    owners.push_back(backend.allocate(tensor.bytes()));
    tensor.data = owners.back()->data();
    // Zeros draw less power, and a GPU runs faster on them than in earnest.
    Tensor piece = random;
    for (int64_t at = 0; at < tensor.count(); at += random.count()) {
      piece.shape = Shape::vector(std::min(random.count(), tensor.count() - at));
      auto* const place = static_cast<std::byte*>(tensor.data) + static_cast<size_t>(at) * size_of(dtype);
      backend.run(Cast{piece, Tensor(place, dtype, piece.shape, backend.device())}, {});
    }
    return tensor;
  };
  Peaks peaks;
  {
    std::vector<std::unique_ptr<Memory>> owners;
    const Shape shape = Shape::vector((gpu ? int64_t{1} << 30 : int64_t{1} << 26) / 4);
    const Cast copy{make(owners, shape, DType::f32), make(owners, shape, DType::f32)};
    peaks.gbyte_per_second = gbytes({copy.from, copy.to}) / fastest(backend, copy);
  }
  std::vector<std::unique_ptr<Memory>> owners;
  const int64_t channels = gpu ? 4096 : 512, side = gpu ? 64 : 16;
  const Shape shape{1, channels, 1, side, side};
  const ConvForward product{.x = make(owners, shape, compute),
                            .w = make(owners, {channels, channels, 1, 1, 1}, compute),
                            .bias = {},
                            .y = make(owners, shape, compute),
                            .window = {}};
  peaks.gflop_per_second = conv_gflop(shape, shape, product.window) / fastest(backend, product);
  return peaks;
}

}  // namespace

double Peaks::share(const OpTime& time) const {
  if (gbyte_per_second <= 0 || time.seconds <= 0) return 0;
  return std::max(time.gbyte / gbyte_per_second, time.gflop / gflop_per_second) / time.seconds;
}

std::map<std::string, OpTime> bench_ops(const BenchSettings& settings, bool by_shape, StepResult& step,
                                        Peaks& peaks) {
  Ledger ledger;
  ledger.by_shape = by_shape;
  step = bench_step(
      settings,
      [&](Backend& backend) -> std::unique_ptr<Backend> {
        peaks = measure_peaks(backend, settings);
        ledger.clock = backend.clock();
        return std::make_unique<Timers<decorator::AllOps>>(backend, ledger);
      },
      [&](int64_t number) { ledger.settle(/*counts=*/number > 0); });
  ledger.settle(/*counts=*/true);
  step.seconds = ledger.steps;
  return ledger.times;
}

}  // namespace laban::tools
