// laban bench: how fast a training step is on this machine, and where its time goes.
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "bench/bench.h"
#include "commands/commands.h"

namespace laban::tools {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kMiB = 1024.0 * 1024.0;

struct Options {
  BenchSettings bench;
  bool json = false;
  bool by_shape = false;
};

void add_flags(CLI::App& command, Options& options) {
  BenchSettings& b = options.bench;
  command.add_option("--model", b.model, "model name (laban describe lists them)")->capture_default_str();
  command.add_option("--frames", b.frames, "frames of a clip")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command.add_option("--size", b.size, "rows and columns of a frame")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command.add_option("--batch", b.batch, "clips of a step")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command.add_option("--classes", b.classes, "classes of the model")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command.add_option("--device", b.device, "cpu, cuda or reference")
      ->check(CLI::IsMember({"cpu", "cuda", "reference"}))
      ->capture_default_str();
  command.add_option("--precision", b.precision, "f32, tf32 (cuda), bf16 or f64 (reference)")
      ->check(CLI::IsMember({"f32", "tf32", "bf16", "f64"}))
      ->capture_default_str();
  command.add_flag("!--no-deterministic", b.deterministic,
                   "cuda: also algorithms whose results differ from run to run");
  command.add_flag("--exact-weights", b.exact_weights,
                   "cuda, bf16: gradients of weights are never rounded to bf16 on their way");
  command.add_flag("--autotune", b.autotune, "cuda: time the convolution algorithms, take the fastest");
  command.add_flag("!--no-graph", b.graph,
                   "cuda: send every op by itself instead of replaying a recorded step");
  command
      .add_option("--freeze", b.freeze.layers, "layers that do not learn: stem,layer1; backbone: all but fc")
      ->delimiter(',');
  command.add_flag("--freeze-norms", b.freeze.norms, "batch norms use their running statistics");
  command.add_option("--threads", b.threads, "threads of the cpu device; 0: one for each processor")
      ->check(CLI::Range(0, 1 << 12))
      ->capture_default_str();
  auto* steps =
      command.add_option("--steps", b.steps, "how many steps to time")->check(CLI::Range(1, 1 << 20));
  command.add_option("--seconds", b.seconds, "time steps for this long, at least one")
      ->check(CLI::Range(0.0, 1e9))
      ->capture_default_str()
      ->excludes(steps);
  command.add_flag("--json", options.json, "one JSON object instead of text");
}

Json describe(const BenchSettings& b, const StepResult& result) {
  const double median = result.median();
  return {{"model", b.model},
          {"frames", b.frames},
          {"size", b.size},
          {"batch", b.batch},
          {"classes", b.classes},
          {"device", b.device},
          {"precision", b.precision},
          {"threads", result.threads},
          {"steps", result.seconds.size()},
          {"median_seconds", median},
          {"min_seconds", *std::min_element(result.seconds.begin(), result.seconds.end())},
          {"clips_per_second", static_cast<double>(b.batch) / median},
          {"gflop_per_step", result.gflop},
          {"gflop_per_second", result.gflop / median},
          {"activation_bytes", result.activation_bytes},
          {"parameter_bytes", result.parameter_bytes},
          {"peak_process_bytes", result.peak_process_bytes}};
}

void print_step(const BenchSettings& b, const StepResult& result) {
  const double median = result.median();
  std::printf("%s, %lld x %lldx%lldx%lld, %s %s, %lld thread(s): a training step\n", b.model.c_str(),
              static_cast<long long>(b.batch), static_cast<long long>(b.frames),
              static_cast<long long>(b.size), static_cast<long long>(b.size), b.device.c_str(),
              b.precision.c_str(), static_cast<long long>(result.threads));
  std::printf("  median of %zu     %8.3f s   (fastest %.3f s)\n", result.seconds.size(), median,
              *std::min_element(result.seconds.begin(), result.seconds.end()));
  std::printf("  clips/s          %8.2f\n", static_cast<double>(b.batch) / median);
  std::printf("  GFLOP/s          %8.1f   (%.1f GFLOP a step)\n", result.gflop / median, result.gflop);
  std::printf("  activations      %8.1f MiB\n", static_cast<double>(result.activation_bytes) / kMiB);
  std::printf("  parameters       %8.1f MiB   (with gradients and statistics)\n",
              static_cast<double>(result.parameter_bytes) / kMiB);
  std::printf("  process, at most %8.1f MiB\n", static_cast<double>(result.peak_process_bytes) / kMiB);
}

void run_step(const Options& options) {
  const StepResult result = bench_step(options.bench);
  if (options.json)
    std::printf("%s\n", describe(options.bench, result).dump().c_str());
  else
    print_step(options.bench, result);
}

void run_ops(const Options& options) {
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
                            {"roofline_share", peaks.share(time)}});
    std::printf("%s\n", out.dump().c_str());
    return;
  }
  print_step(options.bench, step);
  if (peaks.gbyte_per_second > 0)
    std::printf("  at best here     %8.1f GB/s (a copy), %.1f GFLOP/s (a matrix product)\n",
                peaks.gbyte_per_second, peaks.gflop_per_second);
  std::printf("\n%9s %7s %6s %9s %9s %9s  %s\n", "ms/step", "share", "runs", "GFLOP/s", "GB/s", "roofline",
              "op");
  for (const auto& [name, time] : rows)
    std::printf("%9.3f %6.1f%% %6.0f %9.1f %9.1f %8.0f%%  %s\n", 1e3 * time.seconds / steps,
                100 * time.seconds / total, static_cast<double>(time.runs) / steps, time.gflop / time.seconds,
                time.gbyte / time.seconds, 100 * peaks.share(time), name.c_str());
  std::printf("%9.3f %6.1f%% %36s  between ops\n", 1e3 * (total - booked) / steps,
              100 * (total - booked) / total, "");
}

}  // namespace

void add_bench(CLI::App& app) {
  CLI::App* bench =
      app.add_subcommand("bench", "measure speed: training steps, single ops, loading, versions of a kernel");
  bench->require_subcommand(1);

  auto options = std::make_shared<Options>();
  CLI::App* step = bench->add_subcommand("step", "time full training steps: forward, loss, backward, update");
  add_flags(*step, *options);
  step->callback([options] { run_step(*options); });

  auto op_options = std::make_shared<Options>();
  CLI::App* ops = bench->add_subcommand("ops", "the same, with the time of each kind of op");
  add_flags(*ops, *op_options);
  ops->add_flag("--by-shape", op_options->by_shape, "a row for each shape");
  ops->callback([op_options] { run_ops(*op_options); });

  add_bench_roofline(*bench);
  add_bench_load(*bench);
  add_bench_ladder(*bench);
}

}  // namespace laban::tools
