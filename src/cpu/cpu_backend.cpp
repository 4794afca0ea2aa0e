#include "cpu/cpu_backend.h"

#include <algorithm>
#include <type_traits>

#include "core/processors.h"
#include "cpu/convolution.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"

namespace laban {
namespace {

const cpu::Kernels& kernels_of(const CpuSettings& settings) {
  if (!settings.isa) return cpu::kernels_for(cpu::best_isa());
  cpu::require_isa(*settings.isa);
  return cpu::kernels_for(*settings.isa);
}

/// Each thread has scratch of its own, and results do not depend on their number: a thousand would cost memory
/// and time and give nothing.
int most_threads() { return std::max(16, 4 * available_processors()); }

/// The class that declares a member function of an op, of several that bear its name.
template <class Op, class Class>
std::type_identity<Class> declarer(void (Class::*run)(const Op&, Scratch));
template <class Op, class Class>
std::type_identity<Class> declarer(size_t (Class::*scratch_for)(const Op&));

}  // namespace

void CpuBackend::check_scratch() {
  AllOps::for_each([]<class Op>() {
    using Own = std::type_identity<CpuBackend>;
    constexpr bool runs = std::is_same_v<decltype(declarer<Op>(&CpuBackend::run)), Own>;
    constexpr bool sizes = std::is_same_v<decltype(declarer<Op>(&CpuBackend::scratch_for)), Own>;
    static_assert(
        runs == (sizes || WithoutScratch::contains<Op>),
        "CpuBackend runs this op by itself and does not say what scratch it needs, or the other way "
        "around. Override scratch_for(const Op&) or, where it needs none, add the op to WithoutScratch.");
  });
}

CpuBackend::CpuBackend(const CpuSettings& settings)
    : asked_(settings.threads > 0 ? settings.threads : default_threads()),
      threads_(std::min(asked_, most_threads())),
      kernels_(kernels_of(settings)),
      pool_(std::make_unique<cpu::ThreadPool>(threads_)),
      convolutions_(
          std::make_unique<cpu::Convolutions>(kernels_, *pool_, settings.bf16 == Bf16Compute::native)) {}

CpuBackend::~CpuBackend() = default;

cpu::Isa CpuBackend::isa() const { return kernels_.isa; }

int CpuBackend::default_threads() { return available_processors(); }

std::string CpuBackend::note() const {
  const int processors = available_processors();
  if (!pool_->note().empty()) return pool_->note();
  const std::string these = text(processors, processors == 1 ? " processor" : " processors");
  if (threads_ < asked_)
    return text(asked_, " threads asked for, ", threads_, " used: this process may use ", these,
                ", for which more threads would only wait; the results are the same");
  if (processors < threads_)
    return text(threads_, " threads share ", these, ": slower than a thread for each, with the same results");
  return {};
}

std::unique_ptr<Memory> CpuBackend::allocate(size_t bytes) {
  // New memory may lie where weights used to, and packed copies are found by address.
  convolutions_->distrust_packed_weights();
  return ReferenceBackend::allocate(bytes);
}

size_t CpuBackend::scratch_for(const ConvForward& op) {
  if (op.x.dtype == DType::f64) return ReferenceBackend::scratch_for(op);
  return convolutions_->scratch_bytes(op);
}
void CpuBackend::prepare_for(const ConvForward& op) {
  if (op.x.dtype != DType::f64) convolutions_->prepare(op);
}
void CpuBackend::run(const ConvForward& op, Scratch scratch) {
  if (op.x.dtype == DType::f64) return ReferenceBackend::run(op, scratch);
  convolutions_->run(op, scratch);
}

size_t CpuBackend::scratch_for(const ConvBatchNorm& op) {
  if (op.x.dtype == DType::f64) return ReferenceBackend::scratch_for(op);
  return convolutions_->scratch_bytes(op);
}
void CpuBackend::prepare_for(const ConvBatchNorm& op) {
  if (op.x.dtype != DType::f64) convolutions_->prepare(op);
}
void CpuBackend::run(const ConvBatchNorm& op, Scratch scratch) {
  if (op.x.dtype == DType::f64) return ReferenceBackend::run(op, scratch);
  convolutions_->run(op, scratch);
}

size_t CpuBackend::scratch_for(const ConvBackwardData& op) {
  if (op.dx.dtype == DType::f64) return ReferenceBackend::scratch_for(op);
  return convolutions_->scratch_bytes(op);
}
void CpuBackend::prepare_for(const ConvBackwardData& op) {
  if (op.dx.dtype != DType::f64) convolutions_->prepare(op);
}
void CpuBackend::run(const ConvBackwardData& op, Scratch scratch) {
  if (op.dx.dtype == DType::f64) return ReferenceBackend::run(op, scratch);
  convolutions_->run(op, scratch);
}

size_t CpuBackend::scratch_for(const ConvBackwardWeights& op) {
  if (op.x.dtype == DType::f64) return ReferenceBackend::scratch_for(op);
  return convolutions_->scratch_bytes(op);
}
void CpuBackend::prepare_for(const ConvBackwardWeights& op) {
  if (op.x.dtype != DType::f64) convolutions_->prepare(op);
}
void CpuBackend::run(const ConvBackwardWeights& op, Scratch scratch) {
  if (op.x.dtype == DType::f64) return ReferenceBackend::run(op, scratch);
  convolutions_->run(op, scratch);
}

template <class Op>
void CpuBackend::compute(const Op& op, DType type, Scratch scratch) {
  if (type == DType::f64) return ReferenceBackend::run(op, scratch);
  kernels_.of<Op>().run(op, scratch, *pool_);
}
template <class Op>
size_t CpuBackend::kernel_scratch(const Op& op, DType type) {
  return type == DType::f64 ? ReferenceBackend::scratch_for(op)
                            : kernels_.of<Op>().scratch_bytes(op, pool_->threads());
}

void CpuBackend::run(const BatchNormTrain& op, Scratch scratch) { compute(op, op.x.dtype, scratch); }
size_t CpuBackend::scratch_for(const BatchNormTrain& op) { return kernel_scratch(op, op.x.dtype); }
void CpuBackend::run(const BatchNormInfer& op, Scratch scratch) { compute(op, op.x.dtype, scratch); }
size_t CpuBackend::scratch_for(const BatchNormInfer& op) { return kernel_scratch(op, op.x.dtype); }
void CpuBackend::run(const BatchNormBackward& op, Scratch scratch) { compute(op, op.x.dtype, scratch); }
size_t CpuBackend::scratch_for(const BatchNormBackward& op) { return kernel_scratch(op, op.x.dtype); }
void CpuBackend::run(const ReluForward& op, Scratch scratch) { compute(op, op.x.dtype, scratch); }
void CpuBackend::run(const ReluBackward& op, Scratch scratch) { compute(op, op.y.dtype, scratch); }
void CpuBackend::run(const Accumulate& op, Scratch scratch) { compute(op, op.into.dtype, scratch); }
void CpuBackend::run(const Cast& op, Scratch scratch) {
  // This backend pads no channels: that case is for the tests.
  const bool plain = op.from.shape.c == op.to.shape.c && op.from.dtype != DType::f64;
  compute(op, plain ? op.to.dtype : DType::f64, scratch);
}
void CpuBackend::run(const MaxPoolForward& op, Scratch scratch) { compute(op, op.x.dtype, scratch); }
void CpuBackend::run(const MaxPoolBackward& op, Scratch scratch) { compute(op, op.dx.dtype, scratch); }
size_t CpuBackend::scratch_for(const MaxPoolBackward& op) { return kernel_scratch(op, op.dx.dtype); }
void CpuBackend::run(const GlobalAvgPoolForward& op, Scratch scratch) { compute(op, op.x.dtype, scratch); }
void CpuBackend::run(const GlobalAvgPoolBackward& op, Scratch scratch) { compute(op, op.dx.dtype, scratch); }
void CpuBackend::run(const Dropout& op, Scratch scratch) { compute(op, op.x.dtype, scratch); }
void CpuBackend::run(const MixClips& op, Scratch scratch) { compute(op, op.x.dtype, scratch); }
void CpuBackend::run(const LinearForward& op, Scratch scratch) { compute(op, op.x.dtype, scratch); }
void CpuBackend::run(const LinearBackwardData& op, Scratch scratch) { compute(op, op.dx.dtype, scratch); }
void CpuBackend::run(const LinearBackwardWeights& op, Scratch scratch) { compute(op, op.x.dtype, scratch); }
void CpuBackend::run(const SgdStep& op, Scratch scratch) { compute(op, op.common.weights.dtype, scratch); }
void CpuBackend::run(const AdamStep& op, Scratch scratch) { compute(op, op.common.weights.dtype, scratch); }
void CpuBackend::run(const MovingAverage& op, Scratch scratch) { compute(op, op.average.dtype, scratch); }
void CpuBackend::run(const SumOfSquares& op, Scratch scratch) { compute(op, op.x.dtype, scratch); }
size_t CpuBackend::scratch_for(const SumOfSquares& op) { return kernel_scratch(op, op.x.dtype); }
void CpuBackend::run(const SetZero& op, Scratch scratch) { kernels_.of<SetZero>().run(op, scratch, *pool_); }

}  // namespace laban
