// laban bench ladder: one memory-bound kernel from naive to final, each rung timed (docs/kernel-ladder.md).
#include <cstdio>
#include <nlohmann/json.hpp>

#include "bench/bench.h"
#include "core/error.h"
#include "cuda/ladder/ladder_bench.h"

namespace laban::tools {
namespace {

struct Options {
  int64_t batch = 16, channels = 64, frames = 16, size = 56;
  int gpu = 0;
  std::string precision = "bf16";
  bool json = false;
};

void run(const Options& options) {
  const Shape shape{options.batch, options.channels, options.frames, options.size, options.size};
  const DType dtype = options.precision == "bf16" ? DType::bf16 : DType::f32;
  const int64_t pack = 16 / static_cast<int64_t>(size_of(dtype));
  if (shape.c % pack != 0)
    throw UsageError(text("--channels ", shape.c, ": the ladder moves packs of 16 bytes, ", pack,
                          " channels in ", options.precision),
                     text("Use a multiple of ", pack, "."));
  const LadderTimes times = time_ladder(options.gpu, shape, dtype);
  const double peak = times.copy_gbyte_per_second;
  if (options.json) {
    nlohmann::ordered_json out = {{"gpu", times.gpu},
                                  {"shape_nthwc", {shape.n, shape.t, shape.h, shape.w, shape.c}},
                                  {"precision", options.precision},
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
              text(shape).c_str(), options.precision.c_str(), times.gbyte / 3);
  std::printf("a copy: %.0f GB/s\n\n%9s %9s %9s  %s\n", peak, "us", "GB/s", "roofline", "rung");
  for (const LadderTimes::Rung& rung : times.rungs)
    std::printf("%9.1f %9.0f %8.0f%%  %s\n", 1e6 * rung.seconds, rung.gbyte / rung.seconds,
                100 * times.gbyte / peak / rung.seconds, rung.name.c_str());
}

}  // namespace

void add_bench_ladder(Command& bench) {
  auto options = std::make_shared<Options>();
  Command& ladder = bench.subcommand(
      "ladder", "cuda: time one memory-bound kernel, from the naive version to the final one");
  const auto extent = [&](const char* flag, int64_t& value, const char* what) {
    ladder.add(flag, value, what).range(1, 1 << 20);
  };
  extent("--batch", options->batch, "clips per batch");
  extent("--channels", options->channels, "channels");
  extent("--frames", options->frames, "frames per clip");
  extent("--size", options->size, "width and height of a frame");
  ladder.add("--gpu", options->gpu, "CUDA device index, as in nvidia-smi").range(0, 1023);
  ladder.add("--precision", options->precision, "data type").choices({"f32", "bf16"});
  ladder.add("--json", options->json, "print one JSON object instead of text");
  ladder.example("laban bench ladder --precision bf16");
  ladder.action([options] { run(*options); });
}

}  // namespace laban::tools
