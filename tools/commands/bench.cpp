// laban bench: how fast a training step is on this machine, and where its time goes.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "bench/bench.h"
#include "bench/competitors.h"
#include "cli/options.h"
#include "commands/commands.h"
#include "train/config/words.h"

namespace laban::tools {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kMiB = 1024.0 * 1024.0;

struct Options {
  BenchSettings bench;
  bool json = false;
  bool by_shape = false;
  bool busy = false;
};

void add_flags(Command& command, Options& options) {
  BenchSettings& b = options.bench;
  const auto extent = [&](const char* flag, int64_t& value, const char* what) {
    command.add(flag, value, what).range(1, 1 << 20);
  };
  command.add("--model", b.model, "model name; laban describe lists them");
  extent("--frames", b.frames, "frames per clip");
  extent("--size", b.size, "width and height of a frame");
  extent("--batch", b.batch, "clips per step");
  extent("--classes", b.classes, "number of classes");
  command.add("--device", b.device, "auto: cuda where a GPU works, else cpu")
      .choices({"auto", "cpu", "cuda", "reference"});
  command.add("--precision", b.precision, "data type; tf32 is for cuda, f64 for reference")
      .choices({"f32", "tf32", "bf16", "f64"});
  command.add("--deterministic,--no-deterministic", b.deterministic,
              "cuda: only algorithms that give the same bits in every run");
  command.add("--exact-weights", b.exact_weights, "cuda, bf16: never round weight gradients to bf16");
  command.add("--autotune", b.autotune, "cuda: time the convolution algorithms and use the fastest");
  command.add("--graph,--no-graph", b.graph, "cuda: record a step once and replay it");
  command.add("--freeze", b.freeze.layers, "frozen layers: stem,layer1; backbone: all but fc");
  command.add("--freeze-norms", b.freeze.norms, "batch norms use their running statistics");
  command.add("--evaluate", b.evaluate, "time evaluation instead: forward with the running statistics");
  command.add("--threads", b.threads, "threads of the cpu device; 0: one per processor").range(0, 1 << 12);
  command.add("--isa", b.isa, "instruction set of the cpu device's kernels; auto: the best that there is")
      .choices({"auto", "baseline", "avx2", "avx512", "avx512bf16", "neon"});
  command.add("--steps", b.steps, "number of steps to time").range(1, 1 << 20).shown_default("");
  command.add("--seconds", b.seconds, "time steps for this long, at least one")
      .range(0.0, 1e9)
      .excludes("--steps");
  command.add("--json", options.json, "print one JSON object instead of text");
}

/// So that what is printed names the device that was used.
void choose_device(BenchSettings& bench) {
  Config config;
  apply_flag(config, "device", bench.device);
  apply_flag(config, "precision", bench.precision);
  tools::choose_device(config);
  bench.device = word_of(config.machine.device);
}

Json describe(const BenchSettings& b, const StepResult& result) {
  const double median = result.median();
  return {
      {"model", b.model},
      {"frames", b.frames},
      {"size", b.size},
      {"batch", b.batch},
      {"classes", b.classes},
      {"device", b.device},
      {"precision", b.precision},
      {"evaluate", b.evaluate},
      {"threads", result.threads},
      {"steps", result.seconds.size()},
      {"median_seconds", median},
      {"min_seconds", *std::min_element(result.seconds.begin(), result.seconds.end())},
      {"first_step_ended", std::chrono::duration<double>(result.first_step_ended.time_since_epoch()).count()},
      {"clips_per_second", static_cast<double>(b.batch) / median},
      {"gflop_per_step", result.gflop},
      {"gflop_per_second", result.gflop / median},
      {"activation_bytes", result.activation_bytes},
      {"parameter_bytes", result.parameter_bytes},
      {"peak_process_bytes", result.peak_process_bytes}};
}

void print_step(const BenchSettings& b, const StepResult& result) {
  const double median = result.median();
  std::printf("%s, %lld x %lldx%lldx%lld, %s %s, %lld thread(s): %s\n", b.model.c_str(),
              static_cast<long long>(b.batch), static_cast<long long>(b.frames),
              static_cast<long long>(b.size), static_cast<long long>(b.size), b.device.c_str(),
              b.precision.c_str(), static_cast<long long>(result.threads),
              b.evaluate ? "an evaluation step" : "a training step");
  std::printf("  median of %zu     %8.3f s   (fastest %.3f s)\n", result.seconds.size(), median,
              *std::min_element(result.seconds.begin(), result.seconds.end()));
  std::printf("  clips/s          %8.2f\n", static_cast<double>(b.batch) / median);
  std::printf("  GFLOP/s          %8.1f   (%.1f GFLOP a step)\n", result.gflop / median, result.gflop);
  std::printf("  activations      %8.1f MiB\n", static_cast<double>(result.activation_bytes) / kMiB);
  std::printf("  parameters       %8.1f MiB   (with gradients and statistics)\n",
              static_cast<double>(result.parameter_bytes) / kMiB);
  std::printf("  process, at most %8.1f MiB\n", static_cast<double>(result.peak_process_bytes) / kMiB);
}

/// Steps alone and beside competing processes, by turns of a second: the machine changes, too.
void run_busy_step(Options& options) {
  using Clock = std::chrono::steady_clock;
  Competitors competitors;  // before the backend has threads
  StepResult alone, beside;
  bool competing = false;
  Clock::time_point turn;
  std::vector<bool> with_competitors;
  StepResult all = bench_step(options.bench, {}, [&](int64_t step) {
    if (step < 0) return;
    const Clock::time_point now = Clock::now();
    if (step == 0) {
      turn = now;
    } else if (now - turn >= std::chrono::seconds(1)) {
      turn = now;
      competing = !competing;
      competitors.compete(competing);
    }
    with_competitors.push_back(competing);
  });
  for (size_t i = 0; i < all.seconds.size(); ++i)
    (with_competitors[i] ? beside : alone).seconds.push_back(all.seconds[i]);
  if (beside.seconds.empty())
    throw UsageError("--busy needs more steps: these ended before their first second did",
                     "Let it run for longer: --seconds 20.");
  const double ratio = beside.median() / alone.median();
  if (options.json) {
    Json out = describe(options.bench, all);
    out["competitors"] = competitors.count();
    out["alone_median_seconds"] = alone.median();
    out["busy_median_seconds"] = beside.median();
    out["busy_ratio"] = ratio;
    std::printf("%s\n", out.dump().c_str());
    return;
  }
  print_step(options.bench, all);
  std::printf("  alone            %8.3f s   (median of %zu)\n", alone.median(), alone.seconds.size());
  std::printf("  busy             %8.3f s   (median of %zu; %d competing process(es), ten steps nicer)\n",
              beside.median(), beside.seconds.size(), competitors.count());
  std::printf("  busy / alone     %8.2f\n", ratio);
}

void run_step(Options& options) {
  choose_device(options.bench);
  if (options.busy) return run_busy_step(options);
  const StepResult result = bench_step(options.bench);
  if (options.json)
    std::printf("%s\n", describe(options.bench, result).dump().c_str());
  else
    print_step(options.bench, result);
}

void run_ops(Options& options) {
  choose_device(options.bench);
  StepResult step;
  Peaks peaks;
  const auto times = bench_ops(options.bench, options.by_shape, step, peaks);
  std::vector<std::pair<std::string, OpTime>> rows(times.begin(), times.end());
  std::sort(rows.begin(), rows.end(),
            [](const auto& a, const auto& b) { return a.second.seconds > b.second.seconds; });
  const double steps = static_cast<double>(step.seconds.size());
  double total = 0, booked = 0;
  for (const double seconds : step.seconds) total += seconds;
  for (const auto& [name, time] : rows) booked += time.seconds;
  if (options.json) {
    Json out = describe(options.bench, step);
    out["peak_gbyte_per_second"] = peaks.gbyte_per_second;
    out["peak_gflop_per_second"] = peaks.gflop_per_second;
    for (const auto& [name, time] : rows)
      out["ops"].push_back({{"op", name},
                            {"runs_per_step", static_cast<double>(time.runs) / steps},
                            {"seconds_per_step", time.seconds / steps},
                            {"gbyte_per_second", time.gbyte / time.seconds},
                            {"gflop_per_second", time.gflop / time.seconds},
                            {"roofline_fraction", peaks.fraction(time)}});
    std::printf("%s\n", out.dump().c_str());
    return;
  }
  print_step(options.bench, step);
  if (peaks.gbyte_per_second > 0)
    std::printf("  at best here     %8.1f GB/s (a copy), %.1f GFLOP/s (a matrix product)\n",
                peaks.gbyte_per_second, peaks.gflop_per_second);
  std::printf("\n%9s %8s %6s %9s %9s %9s  %s\n", "ms/step", "fraction", "runs", "GFLOP/s", "GB/s", "roofline",
              "op");
  for (const auto& [name, time] : rows)
    std::printf("%9.3f %7.1f%% %6.0f %9.1f %9.1f %8.0f%%  %s\n", 1e3 * time.seconds / steps,
                100 * time.seconds / total, static_cast<double>(time.runs) / steps, time.gflop / time.seconds,
                time.gbyte / time.seconds, 100 * peaks.fraction(time), name.c_str());
  std::printf("%9.3f %7.1f%% %36s  between ops\n", 1e3 * (total - booked) / steps,
              100 * (total - booked) / total, "");
}

}  // namespace

void add_bench(Command& program) {
  Command& bench =
      program.subcommand("bench", "measure speed: training steps, single ops, loading, versions of a kernel");

  auto options = std::make_shared<Options>();
  Command& step = bench.subcommand("step", "time full training steps: forward, loss, backward, update");
  add_flags(step, *options);
  step.add("--busy", options->busy,
           "also beside a competing process on every processor, by turns; prints the ratio");
  step.example("laban bench step --model r3d_18 --batch 8")
      .example("laban bench step --precision bf16 --steps 20 --json");
  step.action([options] { run_step(*options); });

  auto op_options = std::make_shared<Options>();
  Command& ops = bench.subcommand("ops", "time full training steps, and each kind of op in them");
  add_flags(ops, *op_options);
  ops.add("--by-shape", op_options->by_shape, "one row per shape");
  ops.example("laban bench ops --model r3d_18").example("laban bench ops --by-shape --steps 5");
  ops.action([op_options] { run_ops(*op_options); });

  add_bench_convs(bench);
  add_bench_roofline(bench);
  add_bench_load(bench);
  add_bench_ladder(bench);
}

}  // namespace laban::tools
