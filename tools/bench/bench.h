// What `laban bench` measures: full training steps, on random clips.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "command_line/command.h"
#include "core/ops/op.h"
#include "models/freeze_settings.h"

namespace laban {
class Backend;
}

namespace laban::tools {

struct BenchSettings {
  std::string model = "r2plus1d_18", device = "auto", precision = "f32", isa = "auto";
  int64_t frames = 8, size = 112, batch = 2, classes = 400, threads = 0;
  int64_t steps = 0;  // 0: as many as fit into `seconds`
  double seconds = 10;
  bool deterministic = true, exact_weights = false, autotune = false, graph = true;  // cuda only
  FreezeSettings freeze = {};
  bool evaluate = false;  // time evaluation, not training
};

struct StepResult {
  std::vector<double> seconds;  // of each step, in order; warm-up left out
  double gflop = 0;             // arithmetic of a step
  /// The first of all, which plans, allocates and packs.
  std::chrono::system_clock::time_point first_step_ended;
  size_t activation_bytes = 0, parameter_bytes = 0, peak_process_bytes = 0;
  int64_t threads = 0;

  double median() const;
};

/// Runs steps (forward, loss, backward, SGD with momentum; or evaluation's forward). `decorate` may put another backend around the one
/// that is measured; `before_step` is told the step's number, the first measured one being 0.
StepResult bench_step(const BenchSettings& settings,
                      const std::function<std::unique_ptr<Backend>(Backend&)>& decorate = {},
                      const std::function<void(int64_t)>& before_step = {});

/// Time by kind of op within a step.
struct OpTime {
  int64_t runs = 0;
  double seconds = 0;
  double gbyte = 0;  // that must travel to and from memory, at the least
  double gflop = 0;  // convolutions and linear layers only
};

/// What the machine does at best, measured before the steps; zeros where it was not.
struct Peaks {
  double gbyte_per_second = 0, gflop_per_second = 0;

  /// The time that these would need for the op's bytes or its arithmetic, whichever is more, as a fraction of
  /// the time it took: 1 on the roofline (Williams, Waterman, Patterson 2009).
  double fraction(const OpTime& time) const;
};
/// An op's row in a table: "conv.forward" or, where `by_shape`, its geometry behind that, if it tells one.
inline std::string row_name(std::string_view op, const OpCost& cost, bool by_shape) {
  return by_shape && !cost.geometry.empty() ? text(op, ": ", cost.geometry) : std::string(op);
}
/// Sums over the measured steps, by the op's name ("conv.forward") or, where `by_shape`, by name and
/// geometry.
std::map<std::string, OpTime> bench_ops(const BenchSettings& settings, bool by_shape, StepResult& step,
                                        Peaks& peaks);

/// Adds `bench convs`: every algorithm of the cpu device for each convolution of a model.
void add_bench_convs(Command& bench);
/// Adds `bench load` (bench_load.h).
void add_bench_load(Command& bench);
/// Adds `bench roofline`: the least time that a step can take, from its ops' bytes and arithmetic alone.
void add_bench_roofline(Command& bench);
/// Adds `bench ladder`: the rungs of the kernel ladder, on a GPU.
void add_bench_ladder(Command& bench);

}  // namespace laban::tools
