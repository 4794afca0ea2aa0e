#include <algorithm>
#include <chrono>
#include <fstream>
#include <memory>
#include <optional>
#include <set>

#include "bench/bench.h"
#include "cli/options.h"
#include "core/backend.h"
#include "core/rng.h"
#include "cpu/cpu_backend.h"
#include "models/families.h"
#include "models/network.h"
#include "train/optimizer.h"

namespace laban::tools {
namespace {

constexpr int64_t kWarmUp = 2;  // the first step plans, the second touches every page once more

/// Standard normal values in the backend's memory, stored as `stored` says.
std::unique_ptr<Memory> random_clips(Backend& backend, const Shape& shape, const Shape& stored, DType dtype,
                                     Tensor& clips) {
  std::vector<float> values(static_cast<size_t>(shape.count()));
  Rng rng(1, Purpose::test);
  for (float& value : values) value = static_cast<float>(rng.normal());
  auto wide = backend.allocate(values.size() * sizeof(float));
  const Tensor from(wide->data(), DType::f32, shape, backend.device());
  backend.upload(from, values.data());
  auto memory = backend.allocate(static_cast<size_t>(stored.count()) * size_of(dtype));
  clips = Tensor(memory->data(), dtype, stored, backend.device());
  backend.run(Cast{from, clips}, {});
  backend.synchronize();
  return memory;
}

/// Multiply-accumulates count twice; backward costs a convolution for the weights, where they learn, and one
/// for the input, where anything below learns.
double gflop_of_step(const std::vector<LayerRow>& rows, const ParameterList& list, bool evaluate) {
  std::set<std::string> learning;
  for (const Parameter* p : list.parameters)
    if (!p->frozen) learning.insert(p->name.substr(0, p->name.rfind('.')));
  double macs = 0;
  bool below = false;
  for (const LayerRow& row : rows) {
    const bool learns = learning.contains(row.name);
    macs += static_cast<double>(row.macs) * (evaluate ? 1 : 1 + learns + below);
    below = below || learns;
  }
  return 2 * macs * 1e-9;
}

/// The most memory this process has ever used (VmHWM of Linux), or 0 where it cannot be told.
size_t peak_process_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string key; status >> key;) {
    size_t kib = 0;
    if (key == "VmHWM:" && status >> kib) return kib * 1024;
    status.ignore(1 << 16, '\n');
  }
  return 0;
}

}  // namespace

double StepResult::median() const {
  std::vector<double> sorted = seconds;
  std::sort(sorted.begin(), sorted.end());
  const size_t middle = sorted.size() / 2;
  return sorted.size() % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

StepResult bench_step(const BenchSettings& settings,
                      const std::function<std::unique_ptr<Backend>(Backend&)>& decorate,
                      const std::function<void(int64_t)>& before_step) {
  using Clock = std::chrono::steady_clock;
  Config config;
  apply_flag(config, "device", settings.device);
  apply_flag(config, "precision", settings.precision);
  apply_flag(config, "isa", settings.isa);
  config.machine.threads = static_cast<int>(settings.threads);
  config.machine.deterministic = settings.deterministic;
  config.machine.exact_weights = settings.exact_weights;
  config.machine.autotune = settings.autotune;
  config.machine.graph = settings.graph;
  choose_threads(config);
  choose_device(config);
  resolve(config);
  const DType compute = compute_type(config);
  const std::unique_ptr<Backend> device = make_backend(config);
  const std::unique_ptr<Backend> decorated = decorate ? decorate(*device) : nullptr;
  Backend& backend = decorated ? *decorated : *device;

  Network network(backend, compute, model_by_name(settings.model, settings.classes));
  const Shape shape{settings.batch, 3, settings.frames, settings.size, settings.size};
  network.output_shape(shape);  // a readable error before anything is allocated
  const Shape stored = network.storage_shape(shape);
  network.store().initialize(1);
  network.freeze(settings.freeze);
  std::optional<Optimizer> optimizer;
  if (!settings.evaluate)
    optimizer.emplace(network.store(), OptimizerSettings{.kind = OptimizerKind::sgd, .weight_decay = 1e-4});
  Tensor clips;
  const auto memory = random_clips(backend, shape, stored, compute, clips);
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < settings.batch; ++i) labels.push_back(static_cast<int32_t>(i % settings.classes));
  std::vector<double> losses(labels.size()), logits(labels.size() * static_cast<size_t>(settings.classes));
  const LossSettings loss{.scale = 1.0 / static_cast<double>(settings.batch)};

  StepResult result;
  Clock::time_point first;
  for (int64_t step = -kWarmUp;; ++step) {
    if (before_step) before_step(step);
    const auto start = Clock::now();
    if (step == 0) first = start;
    if (optimizer) {
      network.store().zero_gradients();
      network.train_step({.clips = clips,
                          .labels = labels,
                          .loss = loss,
                          .seed = 1,
                          .step = static_cast<uint64_t>(step + kWarmUp)});
      optimizer->step(1e-3);
      network.results(losses, logits);  // waits, as training does: once, at the end
    } else {
      network.infer(clips, logits);
    }
    backend.synchronize();
    const auto end = Clock::now();
    if (step == -kWarmUp) result.first_step_ended = std::chrono::system_clock::now();
    if (step < 0) continue;
    result.seconds.push_back(std::chrono::duration<double>(end - start).count());
    const bool enough = settings.steps > 0
                            ? step + 1 >= settings.steps
                            : std::chrono::duration<double>(end - first).count() >= settings.seconds;
    if (enough) break;
  }
  result.gflop = gflop_of_step(network.describe(shape), network.store().list(), settings.evaluate);
  result.activation_bytes = network.activation_bytes();
  result.parameter_bytes = network.parameter_bytes();
  result.peak_process_bytes = peak_process_bytes();
  const auto* const cpu = dynamic_cast<const CpuBackend*>(device.get());
  result.threads = cpu ? cpu->threads() : config.machine.threads;
  return result;
}

}  // namespace laban::tools
