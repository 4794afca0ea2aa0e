// laban bench roofline: what a training step takes at the least on a machine that one does not have. The step
// is walked through without computing anything; each op is booked with the time that its bytes need at the
// machine's bandwidth, or its arithmetic at the machine's speed, whichever is more (Williams, Waterman,
// Patterson: "Roofline", 2009).
#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "bench/bench.h"
#include "core/backend_decorator.h"
#include "core/error.h"

namespace laban::tools {
namespace {

struct Options {
  BenchSettings bench{.device = "reference", .precision = "bf16", .frames = 16, .batch = 32, .steps = 1};
  double bandwidth = 4300, arithmetic = 0, gap = 0;  // GB/s, TFLOP/s (0: not said), microseconds
  int64_t channel_multiple = 0;
  bool by_shape = false, json = false;
};

/// Addresses without memory behind them, as long as nobody writes there.
class Unbacked : public Memory {
 public:
  explicit Unbacked(size_t bytes) : bytes_(std::max<size_t>(bytes, 1)) {
    void* const place =
        mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (place == MAP_FAILED)
      throw Error(text("no ", bytes >> 20, " MiB of addresses for the step's tensors"),
                  "Take fewer clips: --batch.");
    place_ = place;
  }
  ~Unbacked() override { munmap(place_, bytes_); }
  Unbacked(const Unbacked&) = delete;
  Unbacked& operator=(const Unbacked&) = delete;
  void* data() override { return place_; }
  size_t bytes() const override { return bytes_; }

 private:
  void* place_ = nullptr;
  size_t bytes_;
};

struct Row {
  int64_t runs = 0;
  double gbyte = 0, gflop = 0, seconds = 0;
  double arithmetic_bound = 0;  // seconds of the ops that arithmetic bounds
};

class Walk {
 public:
  explicit Walk(const Options& options) : options_(options) {}
  void book(std::string_view name, const OpCost& cost) {
    const double moving = cost.gbyte / options_.bandwidth,
                 computing = 1e-3 * cost.gflop / options_.arithmetic;
    const double seconds = std::max(moving, computing) + 1e-6 * options_.gap;
    for (Row* row : {&rows_[row_name(name, cost, options_.by_shape)], &total_}) {
      ++row->runs;
      row->gbyte += cost.gbyte, row->gflop += cost.gflop, row->seconds += seconds;
      if (computing > moving) row->arithmetic_bound += seconds;
    }
  }
  void begin_step() { rows_.clear(), total_ = {}; }
  const std::map<std::string, Row>& rows() const { return rows_; }
  const Row& total() const { return total_; }

 private:
  const Options& options_;
  std::map<std::string, Row> rows_;
  Row total_;
};

/// Tensors without memory, copies that do nothing.
class UnbackedBackend : public BackendDecorator {
 public:
  UnbackedBackend(Backend& inner, Walk& walk, int64_t channel_multiple)
      : BackendDecorator(inner), walk_(walk), channel_multiple_(channel_multiple) {}

  int64_t channel_multiple(DType) const override { return channel_multiple_; }
  std::unique_ptr<Memory> allocate(size_t bytes) override { return std::make_unique<Unbacked>(bytes); }
  std::optional<size_t> free_bytes() override { return std::nullopt; }
  void upload(const Tensor&, const void*) override {}
  void download(void* to, const Tensor& from) override {
    std::fill_n(static_cast<std::byte*>(to), from.bytes(), std::byte{});
  }

 protected:
  Walk& walk_;

 private:
  int64_t channel_multiple_;
};
/// Computes nothing and writes every op down.
template <class Below, class Op>
class BooksOp : public Below {
 public:
  using Below::Below;
  using Below::run;
  void run(const Op& op, Scratch) override { this->walk_.book(Op::kName, op.cost()); }
};

/// What the H200 for which the defaults stand does in bf16 (docs/measurements/gpu-predictions.md).
constexpr double kBf16Teraflops = 790;

void run(Options options) {
  if (options.arithmetic <= 0) {
    if (options.bench.precision != "bf16")
      throw UsageError(
          text("--precision ", options.bench.precision, " needs --tflops: the speed of the machine in it"),
          "Only bf16 has a default.");
    options.arithmetic = kBf16Teraflops;
  }
  Walk walk(options);
  const int64_t multiple = options.channel_multiple > 0        ? options.channel_multiple
                           : options.bench.precision == "bf16" ? 8
                                                               : 4;
  const StepResult step = bench_step(
      options.bench,
      [&](Backend& backend) -> std::unique_ptr<Backend> {
        return std::make_unique<Chain<BooksOp, UnbackedBackend, AllOps>>(backend, walk, multiple);
      },
      [&](int64_t) { walk.begin_step(); });
  std::vector<std::pair<std::string, Row>> rows(walk.rows().begin(), walk.rows().end());
  std::sort(rows.begin(), rows.end(),
            [](const auto& a, const auto& b) { return a.second.seconds > b.second.seconds; });
  const Row& total = walk.total();
  const double clips_per_second = static_cast<double>(options.bench.batch) / total.seconds;
  const BenchSettings& b = options.bench;
  if (options.json) {
    nlohmann::ordered_json out = {{"model", b.model},
                                  {"frames", b.frames},
                                  {"size", b.size},
                                  {"batch", b.batch},
                                  {"precision", b.precision},
                                  {"channel_multiple", multiple},
                                  {"gbyte_per_second", options.bandwidth},
                                  {"tflop_per_second", options.arithmetic},
                                  {"microseconds_per_op", options.gap},
                                  {"seconds_at_least", total.seconds},
                                  {"clips_per_second_at_most", clips_per_second},
                                  {"gflop", step.gflop},
                                  {"gflop_with_padding", total.gflop},
                                  {"gbyte", total.gbyte},
                                  {"activation_bytes", step.activation_bytes}};
    for (const auto& [name, row] : rows)
      out["ops"].push_back({{"op", name},
                            {"runs", row.runs},
                            {"seconds", row.seconds},
                            {"gbyte", row.gbyte},
                            {"gflop", row.gflop},
                            {"arithmetic_bound_fraction", row.arithmetic_bound / row.seconds}});
    std::printf("%s\n", out.dump().c_str());
    return;
  }
  std::printf(
      "%s, %lld x %lldx%lldx%lld, %s: a training step at %.0f GB/s and %.0f TFLOP/s, computed, not "
      "measured\n",
      b.model.c_str(), static_cast<long long>(b.batch), static_cast<long long>(b.frames),
      static_cast<long long>(b.size), static_cast<long long>(b.size), b.precision.c_str(), options.bandwidth,
      options.arithmetic);
  std::printf("  at least     %9.3f ms\n  at most      %9.0f clips/s\n", 1e3 * total.seconds,
              clips_per_second);
  std::printf("  arithmetic   %9.1f GFLOP, %.1f with channels padded to multiples of %lld\n", step.gflop,
              total.gflop, static_cast<long long>(multiple));
  std::printf("  memory moved %9.2f GB;  activations %.1f MiB\n", total.gbyte,
              static_cast<double>(step.activation_bytes) / (1 << 20));
  std::printf("\n%9s %8s %6s %10s %9s %11s  %s\n", "ms", "fraction", "runs", "GFLOP", "GB", "arithmetic",
              "op");
  for (const auto& [name, row] : rows)
    std::printf("%9.3f %7.1f%% %6lld %10.1f %9.3f %10.0f%%  %s\n", 1e3 * row.seconds,
                100 * row.seconds / total.seconds, static_cast<long long>(row.runs), row.gflop, row.gbyte,
                row.seconds > 0 ? 100 * row.arithmetic_bound / row.seconds : 0, name.c_str());
  std::printf(
      "arithmetic: the fraction of the time that is bound by arithmetic; the rest is bound by memory.\n");
}

}  // namespace

void add_bench_roofline(Command& bench) {
  auto options = std::make_shared<Options>();
  Command& command = bench.subcommand(
      "roofline", "compute the least time of a training step from bytes and arithmetic; measures nothing");
  BenchSettings& b = options->bench;
  const auto extent = [&](const char* flag, int64_t& value, const char* what) {
    command.add(flag, value, what).range(1, 1 << 20);
  };
  command.add("--model", b.model, "model name; laban describe lists them");
  extent("--frames", b.frames, "frames per clip");
  extent("--size", b.size, "width and height of a frame");
  extent("--batch", b.batch, "clips per step");
  extent("--classes", b.classes, "number of classes");
  command.add("--precision", b.precision, "data type").choices({"bf16", "f32"});
  command.add("--bandwidth", options->bandwidth, "memory bandwidth of the machine, GB/s").range(1e-3, 1e9);
  command.add("--tflops", options->arithmetic, "arithmetic of the machine, TFLOP/s")
      .range(1e-3, 1e9)
      .shown_default("790 in bf16");
  command.add("--gap", options->gap, "overhead of every op, microseconds").range(0.0, 1e6);
  command
      .add("--channel-multiple", options->channel_multiple,
           "pad channels to multiples of this; 0: 8 in bf16, 4 in f32")
      .range(0, 64);
  command.add("--freeze", b.freeze.layers, "frozen layers: stem,layer1; backbone: all but fc");
  command.add("--by-shape", options->by_shape, "one row per shape");
  command.add("--json", options->json, "print one JSON object instead of text");
  command.example("laban bench roofline --model r3d_18 --batch 64")
      .example("laban bench roofline --bandwidth 3350 --tflops 700");
  command.action([options] { run(*options); });
}

}  // namespace laban::tools
