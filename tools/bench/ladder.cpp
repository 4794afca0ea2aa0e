// laban bench ladder: one kernel from naive to final, each rung timed. On a GPU a memory-bound one
// (docs/kernel-ladder.md), on the CPU a convolution (docs/cpu-backend.md).
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>

#include "bench/bench.h"
#include "core/error.h"
#include "core/processors.h"
#include "core/rng.h"
#include "cpu/kernels.h"
#include "cuda/ladder/ladder_bench.h"
#include "cuda/make_backend.h"

namespace laban::tools {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string device = "auto", isa = "auto", precision;
  int64_t batch = 0, frames = 0;  // 0: as suits the device
  int64_t channels = 64, outputs = 144, size = 56;
  int64_t threads = 0;
  int gpu = 0;
  bool json = false;
};

void run_on_gpu(const Options& options) {
  const Shape shape{(options.batch > 0 ? options.batch : 16), options.channels,
                    (options.frames > 0 ? options.frames : 16), options.size, options.size};
  const DType dtype = options.precision == "f32" ? DType::f32 : DType::bf16;
  const int64_t pack = 16 / static_cast<int64_t>(size_of(dtype));
  if (shape.c % pack != 0)
    throw UsageError(text("--channels ", shape.c, ": the ladder moves packs of 16 bytes, ", pack,
                          " channels in ", name_of(dtype)),
                     text("Use a multiple of ", pack, "."));
  const LadderTimes times = time_ladder(options.gpu, shape, dtype);
  const double peak = times.copy_gbyte_per_second;
  if (options.json) {
    Json out = {{"gpu", times.gpu},
                {"shape_nthwc", {shape.n, shape.t, shape.h, shape.w, shape.c}},
                {"precision", name_of(dtype)},
                {"gbyte", times.gbyte},
                {"copy_gbyte_per_second", peak}};
    for (const LadderTimes::Rung& rung : times.rungs)
      out["rungs"].push_back({{"name", rung.name},
                              {"seconds", rung.seconds},
                              {"gbyte_moved", rung.gbyte},
                              {"roofline_fraction", times.gbyte / peak / rung.seconds}});
    std::printf("%s\n", out.dump().c_str());
    return;
  }
  std::printf("%s: batch norm + residual + ReLU over %s of %s, three tensors of %.3f GB\n", times.gpu.c_str(),
              text(shape).c_str(), text(dtype).c_str(), times.gbyte / 3);
  std::printf("a copy: %.0f GB/s\n\n%9s %9s %9s  %s\n", peak, "us", "GB/s", "roofline", "rung");
  for (const LadderTimes::Rung& rung : times.rungs)
    std::printf("%9.1f %9.0f %8.0f%%  %s\n", 1e6 * rung.seconds, rung.gbyte / rung.seconds,
                100 * times.gbyte / peak / rung.seconds, rung.name.c_str());
}

std::vector<float> normals(int64_t count, double deviation, uint64_t stream) {
  std::vector<float> values(static_cast<size_t>(count));
  Rng rng(1, Purpose::test, stream);
  for (float& value : values) value = static_cast<float>(deviation * rng.normal());
  return values;
}

/// The fastest of some runs: for a second, at least two and at most twenty.
double seconds_of(const std::function<void()>& run) {
  using Clock = std::chrono::steady_clock;
  double best = std::numeric_limits<double>::infinity(), total = 0;
  for (int i = 0; i < 2 || (i < 20 && total < 1); ++i) {
    const auto start = Clock::now();
    run();
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::min(best, seconds);
    total += seconds;
  }
  return best;
}

void run_on_cpu(const Options& options) {
  if (options.precision == "bf16")
    throw UsageError("--precision bf16: the cpu's ladder is in f32", "Leave --precision out.");
  const cpu::Isa isa = options.isa == "auto" ? cpu::best_isa() : cpu::isa_named(options.isa);
  cpu::require_isa(isa);
  cpu::ThreadPool pool(options.threads > 0 ? static_cast<int>(options.threads) : available_processors());
  cpu::LadderConvolution convolution{
      .images = (options.batch > 0 ? options.batch : 2) * (options.frames > 0 ? options.frames : 8),
      .rows = options.size,
      .columns = options.size,
      .inputs = options.channels,
      .outputs = options.outputs,
      .x = nullptr,
      .w = nullptr,
      .y = nullptr};
  const auto x = normals(convolution.places() * options.channels, 1, 1);
  const auto w = normals(options.outputs * 9 * options.channels,
                         1 / std::sqrt(9 * static_cast<double>(options.channels)), 2);
  std::vector<float> y(static_cast<size_t>(convolution.places() * options.outputs));
  convolution.x = x.data(), convolution.w = w.data(), convolution.y = y.data();
  const double gflop = convolution.gflop();
  Json out = {{"isa", cpu::name_of(isa)},
              {"threads", pool.threads()},
              {"images", convolution.images},
              {"size", options.size},
              {"channels", options.channels},
              {"outputs", options.outputs},
              {"gflop", gflop}};
  if (!options.json)
    std::printf(
        "1x3x3 convolution, %lld -> %lld channels, %lld images of %lldx%lld, %s: %.2f GFLOP\n\n%9s %9s %9s  %s\n",
        static_cast<long long>(options.channels), static_cast<long long>(options.outputs),
        static_cast<long long>(convolution.images), static_cast<long long>(options.size),
        static_cast<long long>(options.size), std::string(cpu::name_of(isa)).c_str(), gflop, "ms", "GFLOP/s",
        "x before", "rung");
  double before = 0;
  for (const cpu::LadderRung& rung : cpu::kernels_for(isa).ladder()) {
    const double seconds = seconds_of(rung.prepare(convolution, pool));
    if (options.json)
      out["rungs"].push_back({{"name", rung.name},
                              {"threads", rung.threads ? pool.threads() : 1},
                              {"seconds", seconds},
                              {"gflop_per_second", gflop / seconds}});
    else
      std::printf("%9.2f %9.1f %9.2f  %s%s\n", 1e3 * seconds, gflop / seconds,
                  before > 0 ? before / seconds : 1, std::string(rung.name).c_str(),
                  rung.threads ? text(" (", pool.threads(), ")").c_str() : "");
    std::fflush(stdout);
    before = seconds;
  }
  if (options.json) std::printf("%s\n", out.dump().c_str());
}

void run(const Options& options) {
  const bool gpu = options.device == "cuda" || (options.device == "auto" && cuda_status(options.gpu).works);
  gpu ? run_on_gpu(options) : run_on_cpu(options);
}

}  // namespace

void add_bench_ladder(Command& bench) {
  auto options = std::make_shared<Options>();
  Command& ladder = bench.subcommand("ladder", "time one kernel, from the naive version to the final one");
  const auto extent = [&](const char* flag, int64_t& value, const char* what) -> Argument& {
    return ladder.add(flag, value, what).range(1, 1 << 20);
  };
  ladder.add("--device", options->device, "auto: cuda where a GPU works, else cpu")
      .choices({"auto", "cpu", "cuda"});
  extent("--batch", options->batch, "clips per batch (cuda: 16, cpu: 2)").shown_default("");
  extent("--channels", options->channels, "channels");
  extent("--outputs", options->outputs, "cpu: output channels of the convolution");
  extent("--frames", options->frames, "frames per clip (cuda: 16, cpu: 8)").shown_default("");
  extent("--size", options->size, "width and height of a frame");
  ladder.add("--gpu", options->gpu, "CUDA device index, as in nvidia-smi").range(0, 1023);
  ladder.add("--precision", options->precision, "data type (cuda: bf16, cpu: f32)").choices({"f32", "bf16"});
  ladder.add("--isa", options->isa, "cpu: instruction set; auto: the best that there is")
      .choices({"auto", "baseline", "avx2", "avx512", "avx512bf16", "neon"});
  ladder.add("--threads", options->threads, "cpu: threads of the last rung; 0: one per processor")
      .range(0, 1 << 12);
  ladder.add("--json", options->json, "print one JSON object instead of text");
  ladder.example("laban bench ladder --device cuda --precision bf16")
      .example("laban bench ladder --device cpu --isa avx2");
  ladder.action([options] { run(*options); });
}

}  // namespace laban::tools
