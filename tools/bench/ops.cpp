#include <algorithm>
#include <limits>
#include <vector>

#include "bench/bench.h"
#include "core/backend_decorator.h"
#include "core/rng.h"

namespace laban::tools {
namespace {

/// What the timers below write to.
struct Ledger {
  bool by_shape = false;
  std::unique_ptr<OpClock> clock;
  struct Run {
    std::string_view name;
    OpCost cost;
  };
  std::vector<Run> ops;  // since the last settle(); two marks each
  std::map<std::string, OpTime> times;
  std::vector<double> steps;  // seconds of each that counts, from its first op to the end of its last

  /// Reads the clock and, where the step counts, books each op's time.
  void settle(bool counts) {
    const std::vector<double> moments = clock->take();
    if (counts) steps.push_back(moments.back());
    for (size_t i = 0; counts && i < ops.size(); ++i) {
      const OpCost& cost = ops[i].cost;
      OpTime& time = times[row_name(ops[i].name, cost, by_shape)];
      ++time.runs;
      time.seconds += moments[2 * i + 1] - moments[2 * i];
      time.gflop += cost.gflop;
      time.gbyte += cost.gbyte;
    }
    ops.clear();
  }
};

class TimedBackend : public BackendDecorator {
 public:
  TimedBackend(Backend& inner, Ledger& ledger) : BackendDecorator(inner), ledger_(ledger) {}

 protected:
  Ledger& ledger_;
};

template <class Below, class Op>
class TimesOp : public Below {
 public:
  using Below::Below;
  using Below::run;
  void run(const Op& op, Scratch scratch) override {
    this->ledger_.clock->mark();
    this->inner().run(op, scratch);
    this->ledger_.clock->mark();
    this->ledger_.ops.push_back({Op::kName, op.cost()});
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
    peaks.gbyte_per_second = copy.cost().gbyte / fastest(backend, copy);
  }
  std::vector<std::unique_ptr<Memory>> owners;
  const int64_t channels = gpu ? 4096 : 512, side = gpu ? 64 : 16;
  const Shape shape{1, channels, 1, side, side};
  const ConvForward product{.x = make(owners, shape, compute),
                            .w = make(owners, {channels, channels, 1, 1, 1}, compute),
                            .bias = {},
                            .y = make(owners, shape, compute),
                            .window = {}};
  peaks.gflop_per_second = product.cost().gflop / fastest(backend, product);
  return peaks;
}

}  // namespace

double Peaks::fraction(const OpTime& time) const {
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
        return std::make_unique<Chain<TimesOp, TimedBackend, AllOps>>(backend, ledger);
      },
      [&](int64_t number) { ledger.settle(/*counts=*/number > 0); });
  ledger.settle(/*counts=*/true);
  step.seconds = ledger.steps;
  return ledger.times;
}

}  // namespace laban::tools
