#include "cpu/cpu_backend.h"

#include "cpu/convolution.h"
#include "cpu/parallel.h"

namespace laban {
namespace {

bool computes_natively(Bf16Compute bf16) {
  return bf16 == Bf16Compute::native || (bf16 == Bf16Compute::automatic && cpu::has_native_bf16());
}

}  // namespace

CpuBackend::CpuBackend(int threads, Bf16Compute bf16)
    : threads_(threads > 0 ? threads : omp_get_max_threads()),
      convolutions_(std::make_unique<cpu::Convolutions>(threads_, computes_natively(bf16))) {}

CpuBackend::~CpuBackend() = default;

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

}  // namespace laban
