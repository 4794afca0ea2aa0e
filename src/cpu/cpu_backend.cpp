#include "cpu/cpu_backend.h"

#include <type_traits>

#include "core/processors.h"
#include "cpu/batch_norm_scratch.h"
#include "cpu/convolution.h"
#include "cpu/kernels.h"
#include "cpu/parallel.h"
#include "cpu/thread_pool.h"

namespace laban {
namespace {

const cpu::Kernels& kernels_of(const CpuSettings& settings) {
  if (!settings.isa) return cpu::kernels_for(cpu::best_isa());
  cpu::require_isa(*settings.isa);
  return cpu::kernels_for(*settings.isa);
}

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
    : threads_(settings.threads > 0 ? settings.threads : default_threads()),
      kernels_(kernels_of(settings)),
      pool_(std::make_unique<cpu::ThreadPool>(threads_)),
      convolutions_(
          std::make_unique<cpu::Convolutions>(kernels_, *pool_, settings.bf16 == Bf16Compute::native)) {}

CpuBackend::~CpuBackend() = default;

cpu::Isa CpuBackend::isa() const { return kernels_.isa; }

int CpuBackend::default_threads() { return cpu::default_threads(); }

std::string CpuBackend::note() const {
  const int processors = available_processors();
  if (!pool_->note().empty()) return pool_->note();
  if (processors < threads_)
    return text(threads_, " threads share ", processors, processors == 1 ? " processor" : " processors",
                ": slower, to the same bits as on as many processors");
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

size_t CpuBackend::scratch_for(const BatchNormTrain& op) {
  return op.x.dtype == DType::f64 ? ReferenceBackend::scratch_for(op) : cpu::batch_norm_scratch(op);
}
void CpuBackend::run(const BatchNormTrain& op, Scratch scratch) {
  op.x.dtype == DType::f64 ? ReferenceBackend::run(op, scratch)
                           : kernels_.batch_norm_train(op, scratch, *pool_);
}

size_t CpuBackend::scratch_for(const BatchNormInfer& op) {
  return op.x.dtype == DType::f64 ? ReferenceBackend::scratch_for(op) : cpu::batch_norm_scratch(op);
}
void CpuBackend::run(const BatchNormInfer& op, Scratch scratch) {
  op.x.dtype == DType::f64 ? ReferenceBackend::run(op, scratch)
                           : kernels_.batch_norm_infer(op, scratch, *pool_);
}

size_t CpuBackend::scratch_for(const BatchNormBackward& op) {
  return op.x.dtype == DType::f64 ? ReferenceBackend::scratch_for(op) : cpu::batch_norm_scratch(op);
}
void CpuBackend::run(const BatchNormBackward& op, Scratch scratch) {
  op.x.dtype == DType::f64 ? ReferenceBackend::run(op, scratch)
                           : kernels_.batch_norm_backward(op, scratch, *pool_);
}

}  // namespace laban
