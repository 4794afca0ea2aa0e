// CpuBackend: the fast ops on host memory.
//
// Whatever touches whole activations or all parameters runs in kernels (kernels.h) that are compiled for several
// instruction sets, and is cut into tiles that threads share (thread_pool.h). f64 falls through to the
// reference, as do the ops that cost nothing. How it works, and why: docs/cpu-backend.md.
//
// One thread uses a backend at a time. Results are bit for bit the same for any number of threads.
#pragma once

#include <memory>
#include <optional>

#include "cpu/isa.h"
#include "reference/reference_backend.h"

namespace laban {

namespace cpu {
class Convolutions;
class ThreadPool;
struct Kernels;
}  // namespace cpu

/// How convolutions in bf16 are computed.
enum class Bf16Compute {
  native,   // by the processor's bf16 instructions where it has them and they are quicker; else widened
  widened,  // as f32, rounded to bf16 at the end: bf16 is storage only
};

struct CpuSettings {
  int threads = 0;                   // 0: CpuBackend::default_threads()
  std::optional<cpu::Isa> isa = {};  // of the kernels; empty: the best that this machine has
  Bf16Compute bf16 = Bf16Compute::native;
};

class CpuBackend : public ReferenceBackend {
 public:
  /// Throws UsageError where this machine lacks settings.isa.
  explicit CpuBackend(const CpuSettings& settings);
  explicit CpuBackend(int threads = 0) : CpuBackend(CpuSettings{.threads = threads}) {}
  ~CpuBackend() override;

  /// One for each processor that this process may use (affinity mask, cgroups).
  static int default_threads();

  std::string_view name() const override { return "cpu"; }
  /// Those that compute: fewer than settings.threads where these are many times the processors (16 or four
  /// times as many are the most), which note() then says.
  int threads() const { return threads_; }
  cpu::Isa isa() const;
  /// Where there are fewer threads than asked for, or fewer processors than threads.
  std::string note() const override;

  std::unique_ptr<Memory> allocate(size_t bytes) override;

  // Whoever adds an op here says what scratch it needs: scratch_for() below or, where none, WithoutScratch.
  using ReferenceBackend::run;
  void run(const ConvForward& op, Scratch scratch) override;
  void run(const ConvBatchNorm& op, Scratch scratch) override;
  void run(const ConvBackwardData& op, Scratch scratch) override;
  void run(const ConvBackwardWeights& op, Scratch scratch) override;
  void run(const BatchNormTrain& op, Scratch scratch) override;
  void run(const BatchNormInfer& op, Scratch scratch) override;
  void run(const BatchNormBackward& op, Scratch scratch) override;
  void run(const ReluForward& op, Scratch scratch) override;
  void run(const ReluBackward& op, Scratch scratch) override;
  void run(const Accumulate& op, Scratch scratch) override;
  void run(const Cast& op, Scratch scratch) override;
  void run(const MaxPoolForward& op, Scratch scratch) override;
  void run(const MaxPoolBackward& op, Scratch scratch) override;
  void run(const GlobalAvgPoolForward& op, Scratch scratch) override;
  void run(const GlobalAvgPoolBackward& op, Scratch scratch) override;
  void run(const Dropout& op, Scratch scratch) override;
  void run(const MixClips& op, Scratch scratch) override;
  void run(const LinearForward& op, Scratch scratch) override;
  void run(const LinearBackwardData& op, Scratch scratch) override;
  void run(const LinearBackwardWeights& op, Scratch scratch) override;
  void run(const SgdStep& op, Scratch scratch) override;
  void run(const AdamStep& op, Scratch scratch) override;
  void run(const MovingAverage& op, Scratch scratch) override;
  void run(const SumOfSquares& op, Scratch scratch) override;
  void run(const SetZero& op, Scratch scratch) override;

 protected:
  using ReferenceBackend::scratch_for;
  size_t scratch_for(const ConvForward& op) override;
  size_t scratch_for(const ConvBatchNorm& op) override;
  size_t scratch_for(const ConvBackwardData& op) override;
  size_t scratch_for(const ConvBackwardWeights& op) override;
  size_t scratch_for(const BatchNormTrain& op) override;
  size_t scratch_for(const BatchNormInfer& op) override;
  size_t scratch_for(const BatchNormBackward& op) override;
  size_t scratch_for(const MaxPoolBackward& op) override;
  size_t scratch_for(const SumOfSquares& op) override;

  using ReferenceBackend::prepare_for;
  void prepare_for(const ConvForward& op) override;
  void prepare_for(const ConvBatchNorm& op) override;
  void prepare_for(const ConvBackwardData& op) override;
  void prepare_for(const ConvBackwardWeights& op) override;

 private:
  using WithoutScratch =
      OpList<ReluForward, ReluBackward, Accumulate, Cast, MaxPoolForward, GlobalAvgPoolForward,
             GlobalAvgPoolBackward, Dropout, MixClips, LinearForward, LinearBackwardData,
             LinearBackwardWeights, SgdStep, AdamStep, MovingAverage, SetZero>;
  static void check_scratch();  // static_asserts, never called

  /// The op by its kernel or, where its activations are of type f64, by the reference.
  template <class Op>
  void compute(const Op& op, DType type, Scratch scratch);
  template <class Op>
  size_t kernel_scratch(const Op& op, DType type);

  int asked_, threads_;
  const cpu::Kernels& kernels_;
  std::unique_ptr<cpu::ThreadPool> pool_;
  std::unique_ptr<cpu::Convolutions> convolutions_;
};

}  // namespace laban
