// laban bench convs: the convolutions of a model's training step, each by every algorithm that the cpu device
// has for it, and which of them its model of cost chooses.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "bench/bench.h"
#include "core/backend_decorator.h"
#include "core/error.h"
#include "core/host_block.h"
#include "core/rng.h"
#include "cpu/cpu_backend.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"

namespace laban::tools {
namespace {

using namespace cpu;
using Json = nlohmann::ordered_json;

struct Options {
  BenchSettings bench{.device = "cpu", .steps = 1};
  bool json = false;
};

/// A convolution of the step, and how often the step makes it.
struct Problem {
  std::string_view op;
  std::string name;
  ConvDirection direction;
  ConvGeometry geometry;
  double gflop = 0;
  int64_t runs = 0;
};

class NotedBackend : public BackendDecorator {
 public:
  NotedBackend(Backend& inner, std::vector<Problem>& problems)
      : BackendDecorator(inner), problems_(problems) {}

 protected:
  void note(const ConvForward& op) { add(op, ConvDirection::forward, {op.x.shape, op.y.shape, op.window}); }
  void note(const ConvBackwardData& op) {
    add(op, ConvDirection::data, {op.dx.shape, op.dy.shape, op.window});
  }
  void note(const ConvBackwardWeights& op) {
    add(op, ConvDirection::weights, {op.x.shape, op.dy.shape, op.window});
  }

 private:
  template <class Op>
  void add(const Op& op, ConvDirection direction, const ConvGeometry& geometry) {
    for (Problem& problem : problems_)
      if (problem.direction == direction && problem.geometry == geometry) {
        ++problem.runs;
        return;
      }
    const OpCost cost = op.cost();
    problems_.push_back({Op::kName, row_name(Op::kName, cost, true), direction, geometry, cost.gflop, 1});
  }
  std::vector<Problem>& problems_;
};
template <class Below, class Op>
class Notes : public Below {
 public:
  using Below::Below;
  using Below::run;
  void run(const Op& op, Scratch scratch) override {
    this->note(op);
    this->inner().run(op, scratch);
  }
};

/// Random values of one size or the other, in memory of their own.
class Values {
 public:
  Values(int64_t count, DType dtype)
      : block_(static_cast<size_t>(std::max<int64_t>(count, 1)) * size_of(dtype)) {
    Rng rng(1, Purpose::test);
    for (int64_t i = 0; i < count; ++i) {
      const float value = static_cast<float>(rng.normal());
      if (dtype == DType::bf16)
        static_cast<BFloat16*>(block_.data())[i] = BFloat16(value);
      else
        static_cast<float*>(block_.data())[i] = value;
    }
  }
  void* data() const { return block_.data(); }

 private:
  HostBlock block_;
};

/// The median of a few runs, in seconds.
template <class Body>
double timed(Body&& body) {
  constexpr int kRuns = 5;
  double seconds[kRuns];
  body();
  for (double& s : seconds) {
    const auto before = std::chrono::steady_clock::now();
    body();
    s = std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
  }
  std::nth_element(seconds, seconds + kRuns / 2, seconds + kRuns);
  return seconds[kRuns / 2];
}

struct Measured {
  std::string algorithm;
  double seconds = 0, pack_seconds = 0, cost = 0;
  size_t packed_bytes = 0;
};

class Measurer {
 public:
  Measurer(const Kernels& kernels, int threads, DType dtype)
      : kernels_(kernels), pool_(threads), dtype_(dtype) {}

  std::vector<Measured> measure(const Problem& problem) {
    const ConvGeometry g = folded(problem.geometry);
    const Values x(g.x.count(), dtype_), y(g.y.count(), dtype_);
    const Values w(g.y.c * g.x.c * g.window.volume(), DType::f32);
    std::vector<Measured> rows;
    if (problem.direction == ConvDirection::weights) {
      for (const auto& kernel : kernels_.conv_gradients(g, dtype_)) {
        const HostBlock scratch(std::max<size_t>(1, kernel->scratch_bytes(pool_.threads())));
        const double seconds = timed([&] {
          kernel->run(x.data(), y.data(), static_cast<float*>(w.data()), {scratch.data(), scratch.bytes()},
                      pool_);
        });
        rows.push_back({kernel->algorithm(), seconds, 0, kernel->cost(), 0});
      }
      return rows;
    }
    const bool forward = problem.direction == ConvDirection::forward;
    for (const auto& kernel : kernels_.conv_transforms(problem.direction, g, dtype_, true)) {
      const HostBlock packed(kernel->packed_bytes()), scratch(kernel->scratch_bytes(pool_.threads()));
      const double pack = timed([&] { kernel->pack(w.data(), DType::f32, packed.data(), pool_); });
      const ConvTransform::Run run{.in = forward ? x.data() : y.data(),
                                   .packed = packed.data(),
                                   .bias = nullptr,
                                   .out = forward ? y.data() : x.data(),
                                   .accumulate = false,
                                   .norm = nullptr};
      const double seconds = timed([&] { kernel->run(run, {scratch.data(), scratch.bytes()}, pool_); });
      rows.push_back({kernel->algorithm(), seconds, pack, kernel->cost(), kernel->packed_bytes()});
    }
    return rows;
  }

 private:
  const Kernels& kernels_;
  ThreadPool pool_;
  DType dtype_;
};

void run(Options& options) {
  BenchSettings& bench = options.bench;
  const Isa isa = bench.isa == "auto" ? best_isa() : isa_named(bench.isa);
  require_isa(isa);
  const int threads =
      CpuBackend(CpuSettings{.threads = static_cast<int>(bench.threads), .isa = isa}).threads();
  std::vector<Problem> problems;
  bench_step(
      bench,
      [&](Backend& backend) -> std::unique_ptr<Backend> {
        return std::make_unique<Chain<Notes, NotedBackend, ConvOps>>(backend, problems);
      },
      [&](int64_t) { problems.clear(); });
  Measurer measurer(kernels_for(isa), threads, bench.precision == "bf16" ? DType::bf16 : DType::f32);
  double chosen_total = 0, best_total = 0;
  Json out = Json::array();
  if (!options.json)
    std::printf("%s, %lld x %lldx%lldx%lld, %s %s, %d thread(s)\n\n%9s %9s %9s  %s\n", bench.model.c_str(),
                static_cast<long long>(bench.batch), static_cast<long long>(bench.frames),
                static_cast<long long>(bench.size), static_cast<long long>(bench.size),
                std::string(name_of(isa)).c_str(), bench.precision.c_str(), threads, "ms", "packing",
                "GFLOP/s", "algorithm (*: the one that is used)");
  for (const Problem& problem : problems) {
    const std::vector<Measured> rows = measurer.measure(problem);
    const auto less = [](double Measured::*key) {
      return [key](const Measured& a, const Measured& b) { return a.*key < b.*key; };
    };
    const auto chosen = std::min_element(rows.begin(), rows.end(), less(&Measured::cost));
    const auto total = [](const Measured& m) { return m.seconds + m.pack_seconds; };
    const auto best = std::min_element(rows.begin(), rows.end(),
                                       [&](const auto& a, const auto& b) { return total(a) < total(b); });
    chosen_total += static_cast<double>(problem.runs) * total(*chosen);
    best_total += static_cast<double>(problem.runs) * total(*best);
    if (options.json) {
      Json row{{"op", problem.name}, {"runs", problem.runs}, {"gflop", problem.gflop}};
      for (const Measured& m : rows)
        row["algorithms"].push_back({{"name", m.algorithm},
                                     {"seconds", m.seconds},
                                     {"pack_seconds", m.pack_seconds},
                                     {"packed_bytes", m.packed_bytes},
                                     {"cost", m.cost},
                                     {"chosen", &m == &*chosen}});
      out.push_back(row);
      continue;
    }
    std::printf("%s, %lld a step\n", problem.name.c_str(), static_cast<long long>(problem.runs));
    for (const Measured& m : rows)
      std::printf("%9.3f %9.3f %9.1f %c%s\n", 1e3 * m.seconds, 1e3 * m.pack_seconds,
                  problem.gflop / m.seconds, &m == &*chosen ? '*' : ' ', m.algorithm.c_str());
  }
  if (options.json)
    std::printf("%s\n", out.dump().c_str());
  else
    std::printf("\nall convolutions of a step: %.1f ms with those that are used, %.1f ms with the quickest\n",
                1e3 * chosen_total, 1e3 * best_total);
}

}  // namespace

void add_bench_convs(Command& bench) {
  auto options = std::make_shared<Options>();
  BenchSettings& b = options->bench;
  Command& convs =
      bench.subcommand("convs", "time every algorithm for each convolution of a model, on the cpu");
  convs.add("--model", b.model, "model name; laban describe lists them");
  const auto extent = [&](const char* flag, int64_t& value, const char* what) {
    convs.add(flag, value, what).range(1, 1 << 20);
  };
  extent("--frames", b.frames, "frames per clip");
  extent("--size", b.size, "width and height of a frame");
  extent("--batch", b.batch, "clips per step");
  convs.add("--precision", b.precision, "data type").choices({"f32", "bf16"});
  convs.add("--isa", b.isa, "instruction set of the kernels; auto: the best that there is");
  convs.add("--threads", b.threads, "number of threads; 0: one per processor").range(0, 1 << 12);
  convs.add("--json", options->json, "print one JSON array instead of text");
  convs.example("laban bench convs --model r3d_18").example("laban bench convs --isa avx2");
  convs.action([options] { run(*options); });
}

}  // namespace laban::tools
